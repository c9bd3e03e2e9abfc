/** Questions of which this host reads something in the archive: its own former rows, and pieces. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import type { z } from "zod";
import { ArchivedChunks } from "../../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../../agent/archive/reads/chunk_cache.ts";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { KnownResults } from "../../../../agent/query/known_results.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { HostQuery } from "../../../../agent/store/answer.ts";
import { chunksOfTexts } from "../../../../protocol/archive/archive_piece.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { chunkPath } from "../../../../protocol/chunk/chunk_path.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { accessTables } from "../../../harness/tables.ts";
import { testCatalog } from "../../../harness/catalog.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { GROUP_ROWS, writeChunk } from "../archive/reads/objects.ts";

const ID = "0123456789abcdef";
const OF = "11111111-1111-4111-8111-111111111111";
const GONE_UNTIL = "2026-11-22T20:00:00.000Z";
const LIMITS = { timeout_ms: 30_000, rows_max: 1_000_000, bytes_max: 1e9 };
const ALL = { since: null, until: null, implied: false };

/** The hours 19 and 20 are archived; this host has sealed the latter, and has it still. */
async function host(policy: z.input<typeof Policy> = {}) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const pathOf = (hour: number) => {
    const place = { stream: "logs", region: "eu", host: "web-1", hour: `2026-11-22T${hour}` };
    return folder.join(
      "archive",
      chunkPath({ ...place, chunk: hour === 20 ? ID : "f".repeat(16) }),
    );
  };
  for (const hour of [19, 20]) {
    await Deno.mkdir(dirname(pathOf(hour)), { recursive: true });
    await writeChunk(pathOf(hour), { rows: GROUP_ROWS, fromSecond: (hour - 19) * 3_600 });
  }
  const held = folder.join("data", "held.parquet");
  await Deno.mkdir(folder.join("data"));
  await Deno.copyFile(pathOf(20), held);
  const cache = await ChunkCache.open({ folder: folder.join("data", "cache"), quotaBytes: 1e9 });
  const store = stack.use(new FolderStore(folder.join("archive")));
  const folders = { folder: folder.join("query"), dataDir: folder.join("data") };
  const parts: FleetParts = {
    store: {
      tables: () => accessTables("logs"),
      goneUntil: () => GONE_UNTIL,
      snapshot: () =>
        Promise.resolve({
          tables: new Map([["logs", {
            files: [held],
            rows: GROUP_ROWS,
            bytes: 1,
            chunkIds: [ID],
          }]]),
          rejects: 0,
          gaps: { count: 0, bytes: 0 },
          lost: { files: 0, rows: 0 },
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
    },
    archive: stack.use(
      new ArchivedChunks({
        catalog: testCatalog(store, cache),
        self: { host: "web-1", region: "eu", labels: {} },
      }),
    ),
    workers: stack.use(await WorkerPool.open(folders)),
    region: "eu",
    behindBytes: () => 0,
    policy: Policy.parse(policy),
    denied: { denialOf: () => null, deny: () => {} },
    known: new KnownResults(),
  };
  const owned = stack.move();
  return { parts, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function ask(parts: FleetParts, sql: string, different: Partial<HostQuery> = {}) {
  const tables = accessTables("logs");
  const question = { sql, now: GONE_UNTIL, range: ALL, limits: LIMITS, tables };
  const query = { ...question, version: PLAN_VERSION, ...different };
  await using answer = await answerQuery(parts, query, new AbortController().signal);
  const [table] = answer.tables;
  assert(table?.encoding === "text");
  return { values: table.values, coverage: answer.coverage };
}

const SQL = "SELECT count(*) AS n FROM logs WHERE status < 1000";

Deno.test("what has left this host is read in the archive, each chunk once, also when asked again", async () => {
  await using here = await host();
  for (let round = 0; round < 3; round++) {
    const { values, coverage } = await ask(here.parts, SQL, { source: "auto" });
    assert.deepEqual(values, [[String(2 * GROUP_ROWS)]]);
    assert.equal(coverage.archive?.chunks, 1);
    assert.equal(coverage.rows_scanned, 2 * GROUP_ROWS);
  }
  const counted = await ask(here.parts, "SELECT count(*) FROM logs", { source: "auto" });
  assert.deepEqual(counted.values, [[String(2 * GROUP_ROWS)]]);
});

Deno.test("the archive is left alone where it was not asked for, or nothing can have left", async () => {
  await using here = await host();
  for (const source of [undefined, "live"] as const) {
    const { values, coverage } = await ask(here.parts, SQL, { source });
    assert.deepEqual(values, [[String(GROUP_ROWS)]]);
    assert.equal(coverage.archive, undefined);
  }
  for (const implied of [true, false]) {
    const range = { since: GONE_UNTIL, until: null, implied };
    for (const sql of [SQL, `${SQL} AND ts >= '2026-11-22 20:00:01'`]) {
      const { coverage } = await ask(here.parts, sql, { source: "auto", range });
      assert.equal(coverage.archive, undefined);
    }
  }
  const range = { since: GONE_UNTIL, until: null, implied: true };
  const older = `${SQL} AND ts >= '2026-11-22 19:00:00'`; // lifts the range
  const { values } = await ask(here.parts, older, { source: "auto", range });
  assert.deepEqual(values, [[String(2 * GROUP_ROWS)]]);
});

Deno.test("a piece is listed, then read; this host's policy holds for it", async () => {
  await using here = await host({ mask: { remote_addr: "prefix24" } });
  const piece = (archive: NonNullable<HostQuery["archive"]>["piece"]) => ({
    archive: { piece: archive, selector: "host = web-1" },
  });
  const masked = "SELECT count(*) AS n FROM logs WHERE remote_addr = '192.0.2.0'";
  const list = await ask(here.parts, masked, piece({ kind: "list", of: OF }));
  const chunks = chunksOfTexts(list.values)
    .map(({ key, bytes, etag }): [string, number, string] => [key, bytes, etag]);
  assert.equal(chunks.length, 2);
  const read = await ask(here.parts, masked, piece({ kind: "read", of: OF, chunks }));
  assert.deepEqual(read.values, [[String(2 * GROUP_ROWS)]]); // as it is shown, not as it is stored
  const { archive: _, ...without } = here.parts;
  await assert.rejects(
    ask(without, masked, piece({ kind: "list", of: OF })),
    /no archive is configured/,
  );
});
