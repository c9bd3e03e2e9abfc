/** Questions to the archive whose agents say what is not so, or more than was allowed. */
import assert from "node:assert/strict";
import {
  CHUNK_COLUMNS,
  CHUNK_LIST,
  chunkTexts,
} from "../../../../../protocol/archive/archive_piece.ts";
import type { ListedChunk } from "../../../../../protocol/archive/archive_piece.ts";
import type { ResultEnd } from "../../../../../protocol/wire/messages.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { error, logsWith, Scene } from "../../scene.ts";
import type { Incoming, Script } from "../../scripted_agent.ts";

const COVERAGE = {
  ...{ chunks: 0, rows_scanned: 0, bytes_read: 0, rejects: 0, behind_bytes: 0 },
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
};

const COUNT = "SELECT count(*)::INT AS n FROM logs";
const RANGE = { since: "2026-11-22T00:00:00Z", until: "2026-11-23T00:00:00Z" };

/** So large that each is a piece of its own. */
function chunk(
  hour: number,
  changed: Partial<ListedChunk> = {},
  region = "eu-west-1",
): ListedChunk {
  const key = `stream=logs/region=${region}/date=2026-11-22/hour=${hour}/old-1.${
    "0".repeat(16)
  }.parquet`;
  return { key, bytes: 5e6, etag: '"a"', rows: null, readBytes: 5e6, requests: 1, ...changed };
}

type Texts = (string | null)[][];

/** Lists such chunks; `read` has a piece of them read. */
function reading(list: Texts, read: (incoming: Incoming) => Promise<void>): Script {
  return async (incoming) => {
    const { command: { archive }, ack, send } = incoming;
    ack();
    if (archive?.kind !== "list") return await read(incoming);
    const encoding = "text" as const;
    send({
      seq: 0,
      parts: [{ table: CHUNK_LIST, encoding, columns: CHUNK_COLUMNS, values: list }],
      end: { ok: true, rows: {}, coverage: COVERAGE, sql_ms: 1, total_ms: 1 },
    });
  };
}

async function honest({ compute, send }: Incoming) {
  send({ seq: 0, ...await compute() });
}

/** The same, with as many rows of every table. */
function saying(end: ResultEnd, count: number): ResultEnd {
  if (!end.ok) return end;
  return { ...end, rows: Object.fromEntries(Object.keys(end.rows).map((table) => [table, count])) };
}

/** Agents that read an archive; each piece has the rows of `statuses`. */
async function begin(scripts: Record<string, Script>, statuses = [200]) {
  const scene = await Scene.start();
  const agents = new Map(
    await Promise.all(
      Object.entries(scripts).map(async ([host, script]) => {
        const region = host.startsWith("us") ? "us-east-1" : "eu-west-1";
        const presence = { commands: ["archive"] };
        const agent = { host, region, presence, logs: logsWith(statuses), script };
        return [host, await scene.agent(agent)] as const;
      }),
    ),
  );
  const ask = (sql: string, limits = {}) =>
    scene.ask({ sql, ...RANGE, source: "archive", limits: { timeout_ms: 60_000, ...limits } });
  return { ask, agents, [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose]() };
}

const CHUNKS = chunkTexts([18, 19, 20].map((hour) => chunk(hour)));

Deno.test("of an agent that says another number of rows than it sends the pieces go elsewhere", async () => {
  const lying = async ({ compute, send }: Incoming) => {
    const { parts, end } = await compute();
    send({ seq: 0, parts, end: saying(end, 2) });
  };
  await using here = await begin({ a: reading(CHUNKS, lying), b: reading(CHUNKS, honest) });
  const { end, rows } = await here.ask(COUNT);
  assert.deepEqual([rows, end.coverage.missing], [[{ n: 3 }], []]);
});

Deno.test("where all of them do, it is named, and what was read there alone is missing", async () => {
  const lying = async ({ command: { archive }, compute, send }: Incoming) => {
    const { parts, end } = await compute({ textBytesMax: 0 });
    const isWrong = archive?.kind === "read" && archive.chunks[0]?.[0].includes("old-2");
    for (const [seq, part] of parts.entries()) send({ seq, parts: [part] });
    send({ seq: parts.length, parts: [], end: saying(end, isWrong ? 7 : 1) });
  };
  const other = chunk(19, { key: chunk(19).key.replace("old-1", "old-2") });
  const list = chunkTexts([chunk(18), other]);
  await using here = await begin({ a: reading(list, lying) });
  const { end, rows } = await here.ask(COUNT);
  assert.deepEqual(rows, [{ n: 1 }]);
  const [missing, ...others] = end.coverage.missing;
  assert.deepEqual([missing?.host, others], ["old-2", []]);
  assert.match(
    missing?.reason ?? "",
    /^what a read in the archive: says it sent 7 rows, and 1 came$/,
  );
  assert.equal(end.coverage.rows_scanned, 10, "rows that do not count are not counted");
});

Deno.test("a list that is none is asked of another agent, and another region's chunks are none of it", async () => {
  const garbage = CHUNKS.map((column, i) => i === 1 ? column.map(() => "many") : column);
  const etags: string[] = [];
  const noting = async (incoming: Incoming) => {
    const { archive } = incoming.command;
    if (archive?.kind === "read") etags.push(...archive.chunks.map(([, , etag]) => etag));
    await honest(incoming);
  };
  const forged = [chunk(18, { etag: '"forged"' }), chunk(20, {}, "us-east-1")];
  await using here = await begin({
    a: reading(garbage, noting),
    b: reading(CHUNKS, noting),
    us: reading(chunkTexts(forged), noting),
  });
  const { end, rows } = await here.ask(COUNT);
  assert.deepEqual([rows, end.coverage.missing], [[{ n: 4 }], []]);
  assert.deepEqual(etags, Array(4).fill('"a"'));
});

Deno.test("more rows or bytes than were signed for end the question at once, on every agent", async () => {
  const six = chunkTexts([14, 15, 16, 17, 18, 19].map((hour) => chunk(hour)));
  let answered = 0;
  const two = async (incoming: Incoming) => {
    if (answered++ < 2) await honest(incoming); // the others would take until the time is up
  };
  await using here = await begin({ a: reading(six, two) }, [200, 404, 500]);
  const cancelled = () => here.agents.get("a")?.cancelled.length ?? 0;
  const rows = await error(here.ask("SELECT status FROM logs", { rows_max: 5 }));
  assert.equal(rows.code, "too_many_rows");
  assert.match(rows.message, /^Too many rows: about 18 .* from 1 host; the cap is 5 rows/);
  await eventually(() => cancelled() > 0);
  const before = cancelled();
  answered = 0;
  const bytes = await error(here.ask("SELECT status FROM logs", { bytes_max: 700 }));
  assert.match(bytes.message, /^Too many rows: about 18 .*; the cap is [\d,]+ rows or 700 B/);
  await eventually(() => cancelled() > before);
});

Deno.test("an agent that has too much to do is asked again, for the list and for pieces", async () => {
  const turnedAway = new Set<string>();
  const script: Script = async (incoming) => {
    const { command: { archive }, ack, send } = incoming;
    const what = archive?.kind === "read" ? String(archive.chunks[0]?.[0]) : "list";
    if (turnedAway.has(what)) return await reading(CHUNKS, honest)(incoming);
    turnedAway.add(what);
    ack();
    const error = { code: "unavailable", message: "Busy", rule: "waiting" };
    send({ seq: 0, parts: [], end: { ok: false, error } });
  };
  await using here = await begin({ a: script });
  const { end, rows } = await here.ask(COUNT);
  assert.deepEqual([rows, end.coverage.missing], [[{ n: 3 }], []]);
  assert.equal(turnedAway.size, 4);
});
