/** Who is asked for archived chunks: the host that still has them, else whoever is labelled for it. */
import assert from "node:assert/strict";
import { ArchiveWork } from "../../../../../orchestrator/fanout/archive/archive_work.ts";
import { placed } from "../../../../../orchestrator/fanout/archive/pieces.ts";
import {
  CHUNK_COLUMNS,
  CHUNK_LIST,
  chunkTexts,
} from "../../../../../protocol/archive/archive_piece.ts";
import { ChunkRoom } from "../../../../../protocol/archive/chunk_room.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import type { HostCoverage } from "../../../../../protocol/wire/messages.ts";
import type { Plan } from "../../../../../queries/plan/plan.ts";
import { KnownHosts } from "./known_hosts.ts";

const DAY = "2026-11-22";
const COVERAGE: HostCoverage = {
  chunks: 0,
  rows_scanned: 0,
  bytes_read: 0,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

/** web-1 holds the hour 10; calc-1 is labelled for the work. */
async function scene(): Promise<KnownHosts> {
  const hosts = await KnownHosts.open();
  hosts.come("web-1");
  hosts.come("calc-1", { labels: { compute: "true" } });
  hosts.hold("web-1", { open_from: `${DAY}T20:00:00Z`, own_rows: true, days: { [DAY]: "d1" } });
  const us = Date.parse(`${DAY}T10:00:00Z`) * 1_000;
  hosts.holdDay("web-1", DAY, [["00000000000000aa", 7, 700, us, us]]);
  return hosts;
}

function optionsOf(here: KnownHosts) {
  return {
    ...{ fleet: here.fleet, catalog: here.catalog, selector: "", regions: null, kept: null },
    ...{ referenceBytesMax: 10_000, startedMs: 0, isWaiting: false },
    chunkRoom: new ChunkRoom(3),
    isWanted: () => true,
    folder: () => here.folder.path,
    onProgress: () => {},
  };
}

/** What an agent says whose list has so many chunks. */
function listOf(host: string, chunks: number) {
  const listed = Array.from({ length: chunks }, (_, i) => {
    const key = `stream=logs/region=eu/date=${DAY}/hour=10/web-1.${"0".repeat(15)}${i}.parquet`;
    return { key, bytes: 1, etag: '"1"', rows: null, readBytes: 1, requests: 2 };
  });
  const part = { encoding: "text" as const, columns: CHUNK_COLUMNS, values: chunkTexts(listed) };
  const parts = [{ table: CHUNK_LIST, part }];
  const answer = { host, parts, rows: {}, coverage: COVERAGE, byteCount: 0 };
  return { kind: "answered" as const, answer };
}

Deno.test("what every agent would say of a list ends the question; else another one is asked", async () => {
  await using here = await scene();
  here.come("calc-2", { labels: { compute: "true" } });
  const { signal } = new AbortController();
  const asked: string[] = [];
  const workOf = (code: "bad_sql" | "unavailable") =>
    new ArchiveWork({
      ...optionsOf(here),
      ask: (host) => {
        asked.push(host);
        if (host === "calc-2") return Promise.resolve(listOf(host, 2));
        const error = { code, message: "no" };
        return Promise.resolve({ kind: "missing", host, why: "failed", reason: "no", error });
      },
    });
  using busy = workOf("unavailable");
  assert.equal((await busy.list(signal)).chunks.length, 2);
  assert.deepEqual(asked.splice(0), ["calc-1", "calc-2"]);
  using wrong = workOf("bad_sql");
  await assert.rejects(wrong.list(signal), { code: "bad_sql", message: "no" });
  assert.deepEqual(asked, ["calc-1"]);
});

Deno.test("questions that run name no more chunks together than there is room for", async () => {
  await using here = await scene();
  const { signal } = new AbortController();
  const options = optionsOf(here);
  const workOf = (chunks: number) =>
    new ArchiveWork({ ...options, ask: (host) => Promise.resolve(listOf(host, chunks)) });
  using large = workOf(4);
  await assert.rejects(large.list(signal), { code: "bad_sql", message: /more than 3 archived/ });
  {
    using first = workOf(2);
    assert.equal((await first.list(signal)).chunks.length, 2);
    using second = workOf(2);
    await assert.rejects(second.list(signal), { code: "unavailable", message: /ask again later/ });
  }
  using third = workOf(3);
  assert.equal((await third.list(signal)).chunks.length, 3);
});

Deno.test("how much there is to read is told before any of it has come, for a slow store's pace", async () => {
  await using here = await scene();
  const { signal } = new AbortController();
  const told: { chunks: number; chunksTotal: number; bytesTotal: number }[] = [];
  using work = new ArchiveWork({
    ...optionsOf(here),
    onProgress: (progress) => told.push(progress),
    ask: (host, { kind }) =>
      kind === "list" ? Promise.resolve(listOf(host, 2)) : new Promise(() => {}), // it is slow
  });
  const reading = work.read(await work.list(signal), { mode: "rows" } as Plan, signal);
  assert.deepEqual(await reading.next(), { done: false, value: [] });
  assert.deepEqual(told, [{ chunks: 0, chunksTotal: 2, bytes: 0, bytesTotal: 2 }]);
  await reading.return(undefined);
});

Deno.test("a chunk is read by the host that has it, without a label; others by who is labelled", async () => {
  await using here = await scene();
  const chunks = placed([10, 11].map((hour) => {
    const place = { stream: "logs", region: "eu", host: "web-1", hour: `${DAY}T${hour}` };
    const key = chunkPath({ ...place, chunk: "00000000000000aa" });
    return { key, bytes: 1, etag: '"1"', rows: null, readBytes: 1, requests: 2 };
  }));
  const asked = async (mode: Plan["mode"]) => {
    const found: string[] = [];
    using work = new ArchiveWork({
      ...optionsOf(here),
      ask: (agent, piece) => {
        const keys = piece.kind === "read" ? piece.chunks.map(([key]) => key) : [];
        found.push(...keys.map((key) => `${/hour=(\d+)/.exec(key)?.[1]} ${agent}`));
        const answer = { host: agent, parts: [], rows: {}, coverage: COVERAGE, byteCount: 0 };
        return Promise.resolve({ kind: "answered" as const, answer });
      },
    });
    const plan = { mode } as Plan; // nothing else of it matters here
    const list = { chunks, hours: [], looked: 2, unread: [] };
    for await (const _ of work.read(list, plan, new AbortController().signal));
    return found.sort();
  };
  assert.deepEqual(await asked("aggregate"), ["10 web-1", "11 calc-1"]);
  assert.deepEqual(await asked("host_complete"), ["10 web-1", "11 web-1"]); // its groups stay whole
  here.come("web-1", { state: "offline" });
  assert.deepEqual(await asked("aggregate"), ["10 calc-1", "11 calc-1"]);
});
