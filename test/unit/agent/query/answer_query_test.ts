/** Questions from SQL to answer on one host: as the fleet asks, over MQTT, and locally. */
import { accessTables } from "../../../harness/tables.ts";
import assert from "node:assert/strict";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { Link } from "../../../../agent/link/link.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import { drawAnswer, localQuery } from "../../../../agent/query/local_query.ts";
import type { z } from "zod";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { HostQuery } from "../../../../agent/store/answer.ts";
import { MESSAGE_BYTES_MAX } from "../../../../protocol/wire/envelope.ts";
import { RESULTS_IN_FLIGHT_MAX } from "../../../../protocol/wire/messages.ts";
import type { ResultMessage } from "../../../../protocol/wire/messages.ts";
import type { RowFormat } from "../../../../queries/answer/format.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { fixedHoldings, Orchestrator, startBroker } from "../link/fleet.ts";
import { FileStore, ROWS_PER_404, writeLogs } from "./logs.ts";

const LOG_ROWS = 100_000;
const NOW = "2026-11-22T20:00:00Z";
const ALL = { since: null, until: null, implied: false };
const LIMITS = { timeout_ms: 30_000, rows_max: 1_000_000, bytes_max: 1e9 };

interface Host extends AsyncDisposable {
  parts: FleetParts;
  store: FileStore;
  folder: TempFolder;
}

async function host(policy: z.input<typeof Policy> = {}): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const logs = folder.join("logs.parquet");
  await writeLogs(logs, LOG_ROWS);
  const store = new FileStore(logs, LOG_ROWS);
  const queries = folder.join("query");
  const workers = stack.use(await WorkerPool.open({ folder: queries, dataDir: folder.path }));
  const harmful = new Map<string, string>();
  const parts: FleetParts = {
    store,
    workers,
    region: "r-1",
    behindBytes: () => 7,
    policy: Policy.parse(policy),
    denied: {
      denialOf: (sql) => {
        const reason = harmful.get(sql);
        return reason === undefined ? null : { reason, untilMs: Date.parse(NOW) };
      },
      deny: (sql, reason) => void harmful.set(sql, reason),
    },
  };
  const owned = stack.move();
  return { parts, store, folder, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function question(sql: string, different: Partial<HostQuery> = {}): HostQuery {
  const tables = accessTables("logs");
  return { sql, now: NOW, range: ALL, limits: LIMITS, tables, version: PLAN_VERSION, ...different };
}

const never = () => new AbortController().signal;

/** What lies in the workers' folder, but for where they spill. */
async function leftovers({ folder }: Host): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder.join("query"))))
    .map(({ name }) => name).filter((name) => !name.startsWith("spill-"));
}

Deno.test("a question is answered with partial tables, coverage, and nothing left behind", async () => {
  await using here = await host();
  {
    const sql = "SELECT status, count(*) AS n, avg(body_bytes_sent) FROM logs GROUP BY 1";
    await using answer = await answerQuery(here.parts, question(sql), never());
    const [table, ...more] = answer.tables;
    assert.equal(more.length, 0);
    assert(table?.encoding === "text");
    assert.equal(table.rows, 2);
    assert.equal(here.store.lent, 0);
    const { bytes_read, ...coverage } = answer.coverage;
    assert(bytes_read > 0);
    assert.deepEqual(coverage, {
      chunks: 1,
      rows_scanned: LOG_ROWS,
      rejects: 5,
      gaps: { count: 1, bytes: 9 },
      lost: { files: 0, rows: 0 },
      behind_bytes: 7,
    });
  }
  assert.deepEqual(await leftovers(here), []);
});

Deno.test("lines are counted by their texts as if each were built", async () => {
  await using here = await host();
  const texts = [
    "GET",
    " 404 ",
    "/product/12",
    '" 200 1',
    "quoted",
    "192.0.2.7 ",
    "19:00:0",
    "none",
  ];
  const ask = async (sql: string) => {
    await using answer = await answerQuery(here.parts, question(sql), never());
    const [table] = answer.tables;
    assert(table?.encoding === "text");
    return table.values.map(([value]) => Number(value));
  };
  const built = await ask(
    `SELECT ${texts.map((text) => `count_if(line LIKE '%${text}%')`).join(", ")} FROM logs`,
  );
  assert.ok(built.slice(0, -1).every((count) => count > 0), built.join());
  for (const [i, text] of texts.entries()) {
    const told = await ask(`SELECT count(*) FROM logs WHERE line LIKE '%${text}%'`);
    assert.deepEqual(told, [built[i]], text);
  }
});

Deno.test("the range cuts the rows, and now() is the literal that was signed", async () => {
  await using here = await host();
  const range = { since: "2026-11-22T19:00:10Z", until: "2026-11-22T19:00:20Z", implied: false };
  const asked = question("SELECT count(*) AS n FROM logs", { range });
  await using answer = await answerQuery(here.parts, asked, never());
  assert(answer.tables[0]?.encoding === "text");
  assert.deepEqual(answer.tables[0].values, [["10"]]);
  const recent = question(
    "SELECT count(*) FROM logs WHERE ts < now() - INTERVAL 1 HOUR + INTERVAL 3 SECOND",
  );
  await using early = await answerQuery(here.parts, recent, never());
  assert(early.tables[0]?.encoding === "text");
  assert.deepEqual(early.tables[0].values, [["3"]]);
  const { since, until } = here.store.asked ?? {}; // files beyond it are not even opened
  const lateMs = Date.parse(NOW) - 3_600_000 + 3_000 + 1_000;
  assert.deepEqual({ since, until }, { since: null, until: new Date(lateMs).toISOString() });
});

Deno.test("what fails leaves no lease and no file", async () => {
  await using here = await host();
  const { parts } = here;
  // Much work in little memory: else a machine with nothing else to do gets to the end of that first.
  const sql =
    "SELECT count(*) FROM logs WHERE levenshtein(repeat(request, 1000), repeat('ab', 7500)) > 0";
  const slow = question(sql, { limits: { ...LIMITS, timeout_ms: 300 } });
  await assert.rejects(answerQuery(parts, slow, never()), { code: "timeout" });
  const wide = question("SELECT request FROM logs", { limits: { ...LIMITS, rows_max: 10 } });
  await assert.rejects(answerQuery(parts, wide, never()), { code: "too_many_rows" });
  for (const sql of ["SELEC 1", "SELECT * FROM '/etc/passwd'", "DROP TABLE logs"]) {
    await assert.rejects(answerQuery(parts, question(sql), never()), { code: "bad_sql" });
  }
  assert.equal(here.store.lent, 0);
  assert.deepEqual(await leftovers(here), []);
});

Deno.test("a large answer comes over MQTT whole, a few messages at a time", async () => {
  await using here = await host();
  await using broker = await startBroker();
  await using orchestrator = await Orchestrator.connect(broker.url, "web-1");
  await using _link = new Link({
    openLive: () => Promise.reject(new Error("Nobody tails here")),
    erase: () => Promise.reject(new Error("Nobody erases here")),
    url: broker.url,
    topicPrefix: "logvend",
    host: "web-1",
    region: "r-1",
    labels: {},
    version: "0.1.0",
    tables: () => accessTables("logs"),
    streams: ["logs"],
    trust: [orchestrator.key.publicKey],
    answer: (query, signal) => answerQuery(here.parts, query, signal),
    holdings: fixedHoldings(),
    isRead: () => true,
    isKnown: () => false,
    remember: () => {},
    endQuery: () => {},
    stats: () => undefined,
  });
  await eventually(() => orchestrator.presences.length > 0);
  orchestrator.acknowledging = false;
  const { request } = await orchestrator.ask("SELECT request, ts FROM logs", { limits: LIMITS });
  await eventually(() => orchestrator.results.length === RESULTS_IN_FLIGHT_MAX);
  orchestrator.acknowledging = true;
  for (const result of [...orchestrator.results]) orchestrator.acknowledge(result);
  const messages = await orchestrator.answer(request);

  assert(Math.max(...orchestrator.messageBytes) <= MESSAGE_BYTES_MAX);
  assert(messages.length > RESULTS_IN_FLIGHT_MAX);
  const end = messages.at(-1)?.end;
  assert(end?.ok);
  assert.deepEqual(end.rows, { logs: LOG_ROWS });
  const file = await here.folder.write("received.parquet", bytesOf(messages));
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT count(DISTINCT request), count(DISTINCT ts) FROM read_parquet('${file}')`,
  );
  assert.deepEqual(rows, [[BigInt(LOG_ROWS), BigInt(LOG_ROWS)]]);
});

function bytesOf(messages: readonly ResultMessage[]): Uint8Array {
  return Buffer.concat(
    messages.flatMap(({ parts }) => parts).map((part) => {
      assert(part.encoding === "parquet");
      return Uint8Array.fromBase64(part.base64);
    }),
  );
}

const BY_STATUS = "SELECT status, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1";
const N_404 = LOG_ROWS / ROWS_PER_404;

Deno.test("agent query answers whole: aggregates, first rows, and what cannot be split", async () => {
  await using here = await host();
  const check = async (sql: string, format: RowFormat, expected: string) => {
    const asked = { sql, now: NOW, range: ALL, format, timeoutMs: 30_000 };
    await using answer = await localQuery(here.parts, asked, never());
    assert.equal(await Deno.readTextFile(answer.file), expected);
  };
  await check(BY_STATUS, "csv", `status,n\n200,${LOG_ROWS - N_404}\n404,${N_404}\n`);
  await check(
    "SELECT body_bytes_sent AS b, region FROM logs ORDER BY 1 DESC LIMIT 2",
    "jsonl",
    `{"b":${LOG_ROWS - 1},"region":"r-1"}\n{"b":${LOG_ROWS - 2},"region":"r-1"}\n`,
  );
  await check(
    "SELECT a.status FROM logs a JOIN logs b USING (ts) WHERE a.body_bytes_sent = 3",
    "csv",
    "status\n404\n",
  );
  assert.deepEqual(await leftovers(here), []);
});

Deno.test("agent query knows this host's catalog", async () => {
  await using here = await host();
  const ask = async (sql: string) => {
    const asked = { sql, now: NOW, range: ALL, format: "csv" as const, timeoutMs: 30_000 };
    await using answer = await localQuery(here.parts, asked, never());
    assert.equal(answer.mode, "catalog");
    return await Deno.readTextFile(answer.file);
  };
  assert.equal(await ask("SHOW TABLES"), "name\naccounting\nlogs\nquery_log\nrejects\n");
  assert.match(
    await ask("DESCRIBE logs"),
    /^column_name,column_type,null,key,default,extra\nts,TIMESTAMP,YES,,,\n[^]*\nline,VARCHAR,YES,,,\n$/,
  );
  assert.equal(
    await ask(
      `SELECT data_type, list(column_name ORDER BY ordinal_position DESC)[1] AS last, count(*) AS n
       FROM information_schema.columns WHERE table_name = 'logs' AND data_type <> 'VARCHAR'
       GROUP BY 1 ORDER BY n DESC, 1`,
    ),
    "data_type,last,n\nTIMESTAMP,time_local,2\nBIGINT,body_bytes_sent,1\n" +
      "DOUBLE,request_time,1\nINTEGER,status,1\n",
  );
  assert.deepEqual(await leftovers(here), []);
});

Deno.test("an answer is drawn as a table, a long one as far as it is wanted", async () => {
  await using here = await host();
  const ask = (sql: string) =>
    localQuery(
      here.parts,
      { sql, now: NOW, range: ALL, format: "jsonl", timeoutMs: 30_000 },
      never(),
    );
  await using small = await ask(BY_STATUS);
  assert.match(await drawAnswer(small, {}), /404[^\n]*25000\n/);
  await using large = await ask("SELECT ts FROM logs");
  const drawn = await drawAnswer(large, { rowsMax: 3 });
  assert.match(drawn, /… 99997 more rows[^\n]*\n\(100000 rows\)\n$/);
  assert.equal(drawn.split("\n").length, 2 + 3 + 3);
});
