/** export/ and what leads to it: answers that are too long to hold, over a real orchestrator. */
import assert from "node:assert/strict";
import { tableFromIPC } from "apache-arrow";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { ROW_FORMATS } from "../../../../queries/answer/format.ts";
import type { RowFormat } from "../../../../queries/answer/format.ts";
import { schemaOf } from "../../../../protocol/schema/streams.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { error, named, Scene } from "../scene.ts";
import { inSlices } from "../scripted_agent.ts";

/** Of each of two hosts: together more than is held. */
const ROWS = 60_000;
const LIMITS = { rows_max: 10_000_000, bytes_max: 1e9, timeout_ms: 600_000 };
const soon = () => AbortSignal.timeout(120_000);

/** Rows of `logs` with every status from `first` on. */
function numbered(first: number, count = ROWS): string {
  const columns = schemaOf("logs").logical.map(({ name, type }) =>
    name === "status"
      ? "(range)::INTEGER AS status"
      : name === "request"
      ? "'/é/' || range AS request"
      : `NULL::${type} AS ${name}`
  );
  return `SELECT ${columns.join(", ")} FROM range(${first}, ${first + count})`;
}

async function twoHosts(): Promise<Scene> {
  const scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: numbered(0), script: inSlices });
  await scene.agent({ host: "web-2", logs: numbered(ROWS), script: inSlices });
  return scene;
}

/** How many rows there are, the sum of their numbers, and how many bytes their texts have. */
async function totals(format: RowFormat, bytes: Uint8Array): Promise<number[]> {
  if (format === "arrow") {
    const table = tableFromIPC(bytes);
    const texts = [...table.getChild("request") ?? []].map(String);
    const numbers = [...table.getChild("status") ?? []].map(Number);
    return [table.numRows, sum(numbers), new TextEncoder().encode(texts.join("")).length];
  }
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const file = folder.join("answer");
  await Deno.writeFile(file, bytes);
  const reader = {
    json: "read_json",
    jsonl: "read_json",
    csv: "read_csv",
    parquet: "read_parquet",
  };
  const { rows } = await engine.read(
    `SELECT count(*), sum(status)::BIGINT, sum(strlen(request))::BIGINT FROM ${
      reader[format]
    }('${file}')`,
  );
  return (rows[0] ?? []).map(Number);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

Deno.test("a long answer is whole in every format, and nothing of it is left", async () => {
  await using scene = await twoHosts();
  const rowCount = 2 * ROWS;
  const numbers = Array.from({ length: rowCount }, (_, i) => i);
  const texts = new TextEncoder().encode(numbers.map((i) => `/é/${i}`).join("")).length;
  for (const format of ROW_FORMATS) {
    const sql = "SELECT status, request FROM logs";
    const { bytes, end } = await scene.ask({ sql, format, limits: LIMITS });
    assert.deepEqual(await totals(format, bytes), [rowCount, sum(numbers), texts], format);
    assert.deepEqual([end.mode, end.coverage.answered], ["rows", 2]);
  }
  await eventually(() => [...Deno.readDirSync(`${scene.dataFolder}/scratch`)].length === 0);
});

Deno.test("a long answer is sorted, limited and joined as a short one is", async () => {
  await using scene = await twoHosts();
  const sorted = await scene.ask({
    sql: "SELECT status FROM logs ORDER BY status DESC LIMIT 110000 OFFSET 5",
    limits: LIMITS,
  });
  const first = 2 * ROWS - 6;
  assert.deepEqual(
    sorted.rows.map((row) => row["status"]),
    Array.from({ length: 110_000 }, (_, i) => first - i),
  );
  const { rows } = await scene.ask({
    sql: `SELECT count(*) AS n, string_agg(a.request, ' ' ORDER BY a.status) FILTER (a.status < 2)
      AS firsts FROM logs a JOIN logs b ON a.status = b.status + 1`,
    limits: LIMITS,
  });
  assert.deepEqual(rows, [{ n: 2 * ROWS - 1, firsts: "/é/1" }]);
});

Deno.test("of a host whose file has other rows than it says, none count in a long answer either", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: numbered(0, 2 * ROWS), script: inSlices });
  await scene.agent({ host: "web-3", logs: numbered(0, 3) });
  await scene.agent({
    host: "web-2",
    logs: numbered(0),
    script: (incoming) =>
      inSlices({
        ...incoming,
        compute: async (options) => {
          const { parts, end } = await incoming.compute(options);
          return { parts, end: { ...end, rows: { logs: ROWS + 1 } } };
        },
      }),
  });
  const { end, bytes } = await scene.ask({
    sql: "SELECT status, request FROM logs",
    limits: LIMITS,
    format: "csv",
  });
  assert.deepEqual(named(end.coverage.missing), [
    { host: "web-2", kind: "failed", reason: `says it sent ${ROWS + 1} rows, and ${ROWS} came` },
  ]);
  assert.equal((await totals("csv", bytes))[0], 2 * ROWS + 3);
});

Deno.test("what fails while a long answer is written is its error, not its end", async () => {
  await using scene = await twoHosts();
  const late = "SELECT CASE status WHEN 119999 THEN request ELSE '1' END::INTEGER AS r FROM logs";
  for (const format of ["csv", "jsonl"] as const) {
    const thrown = await error(scene.ask({ sql: late, format, limits: LIMITS }));
    assert.equal(thrown.code, "bad_sql");
    assert.match(thrown.message, /Could not convert string '\/é\/119999'/);
  }
  const client = new ApiClient(scene.orchestrator.url);
  const [record] = await client.queryRecords("1", soon());
  assert.deepEqual([record?.state, record?.error?.code], ["failed", "bad_sql"]);
});

Deno.test("a long answer runs until it is read, is cancelled meanwhile, and leaves its place", async () => {
  await using scene = await twoHosts();
  const client = new ApiClient(scene.orchestrator.url);
  const gone = new AbortController();
  const sql = "SELECT a.request, b.request AS other FROM logs a CROSS JOIN logs b"; // 14 billion
  const readers: Promise<unknown>[] = [];
  for (let i = 0; i < 4; i++) {
    const { token } = await scene.sign({ sql, limits: LIMITS });
    const events = client.query({ sql, token, format: "csv", signal: gone.signal });
    let event = await events.next();
    while (event.value?.type !== "data") event = await events.next();
    readers.push(Array.fromAsync(events).catch(() => {}));
  }
  const running = await client.queryRecords("4", soon());
  assert.deepEqual(running.map(({ state }) => state), Array(4).fill("running"));
  const refused = await error(scene.ask({ sql, limits: LIMITS }));
  assert.match(refused.message, /4 long answers are being written already; try again later/);
  gone.abort();
  await Promise.all(readers);
  await eventually(async () => {
    const records = await client.queryRecords("5", soon());
    return records.filter(({ state }) => state === "cancelled").length === 4;
  });
  await eventually(() => [...Deno.readDirSync(`${scene.dataFolder}/scratch`)].length === 0);
  const { rows } = await scene.ask({
    sql: "SELECT status FROM logs OFFSET 119998",
    limits: LIMITS,
  });
  assert.equal(rows.length, 2);
});
