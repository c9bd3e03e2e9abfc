/** What this host's own policy refuses the fleet: each refusal with its rule, nothing leaks past it. */
import assert from "node:assert/strict";
import type { z } from "zod";
import { askable } from "../../../../agent/policy/policy.ts";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { HostQuery } from "../../../../agent/store/answer.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { eventually } from "../../../harness/eventually.ts";
import { accessTables } from "../../../harness/tables.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { FileStore, writeLogs } from "./logs.ts";

const NOW = "2026-11-22T20:00:00Z";
const ALL = { since: null, until: null, implied: false };
const LIMITS = { timeout_ms: 30_000, rows_max: 1_000_000, bytes_max: 1e9 };
const ROWS = 20_000;

class Host implements AsyncDisposable {
  readonly harmful = new Map<string, string>();

  private constructor(
    private readonly parts: FleetParts & { workers: WorkerPool },
    private readonly owned: AsyncDisposable,
  ) {}

  static async open(given: z.input<typeof Policy>): Promise<Host> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const logs = folder.join("logs.parquet");
    await writeLogs(logs, ROWS);
    const policy = Policy.parse(given);
    const workers = stack.use(
      await WorkerPool.open({
        folder: folder.join("query"),
        dataDir: folder.path,
        memoryBytes: policy.memory,
      }),
    );
    const host: Host = new Host({
      store: new FileStore(logs, ROWS),
      workers,
      region: "r-1",
      behindBytes: () => 0,
      policy,
      denied: {
        denialOf: (sql) => {
          const reason = host.harmful.get(sql);
          return reason === undefined ? null : { reason, untilMs: Date.parse(NOW) };
        },
        deny: (sql, reason) => void host.harmful.set(sql, reason),
      },
    }, stack.move());
    return host;
  }

  async ask(
    sql: string,
    different: Partial<HostQuery> = {},
    signal = new AbortController().signal,
  ) {
    const tables = [...accessTables("logs"), { name: "rejects", columns: REJECTS }];
    const query = { sql, now: NOW, range: ALL, limits: LIMITS, tables, version: PLAN_VERSION };
    await using answer = await answerQuery(this.parts, { ...query, ...different }, signal);
    if (different.explain) return [answer.tables.map(({ table }) => table)];
    const [table] = answer.tables;
    assert(table?.encoding === "text");
    return table.values;
  }

  /** The rule that refuses it. */
  async rule(sql: string, different: Partial<HostQuery> = {}): Promise<string | undefined> {
    const error = await this.ask(sql, different).then(() => null, (error: unknown) => error);
    assert(error instanceof LogvendError, `${sql} is answered, or ${error}`);
    assert.equal(error.code, "not_permitted", `${sql}: ${error.message}`);
    assert.match(error.message, new RegExp(`^policy.${error.details.rule} of this host: `));
    return error.details.rule;
  }

  /** From now on nothing is planned or run. */
  async stopWorkers() {
    await this.parts.workers[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose]() {
    return this.owned[Symbol.asyncDispose]();
  }
}

const REJECTS = [{ name: "ts", type: "TIMESTAMP" }, { name: "line", type: "BLOB" }];

Deno.test("tables and columns that are not allowed are refused, however they are named", async () => {
  await using host = await Host.open({
    streams: ["logs"],
    columns: { logs: ["Status", "request"] },
  });
  assert.equal(await host.rule("SELECT count(*) FROM rejects"), "streams");
  for (
    const sql of [
      "SELECT remote_addr FROM logs",
      'SELECT "REMOTE_ADDR" FROM logs',
      "SELECT * FROM logs",
      "SELECT COLUMNS('remote.*') FROM logs",
      "SELECT #2 FROM logs",
      "SELECT logs FROM logs",
      "SELECT l FROM logs AS l",
      "FROM logs AS l(a, b, c, d)",
      "SELECT count(*) FROM logs WHERE remote_addr LIKE '192%'",
      "SELECT status FROM logs ORDER BY remote_addr",
      "SELECT count(*) FILTER (remote_addr = '192.0.2.1') FROM logs",
      "SELECT status FROM logs a WHERE EXISTS (FROM logs b WHERE b.remote_addr = a.request)",
      "WITH x AS (FROM logs) SELECT status FROM x",
      "SELECT status FROM logs NATURAL JOIN (SELECT 1 AS status)",
    ]
  ) assert.equal(await host.rule(sql), "columns", sql);
  const found = await host.ask(
    "SELECT status, host, count(request) FROM logs GROUP BY ALL ORDER BY 1",
  );
  assert.equal(found[0]?.length, 2);
});

Deno.test("masked values are nowhere to be had: not in lines, joins, conditions, sorts", async () => {
  const mask = { Remote_Addr: "prefix24", request: "no_query" } as const;
  await using host = await Host.open({ mask });
  for (
    const sql of [
      "SELECT request FROM logs",
      "SELECT line FROM logs",
      "SELECT line_bytes FROM logs",
      "SELECT count(*) FROM logs WHERE line LIKE '%product%'",
      "SELECT * FROM logs",
      "SELECT line FROM rejects",
      "SELECT count(*) FROM logs WHERE request > 'a'",
    ]
  ) assert.equal(await host.rule(sql), "mask", sql);
  const check = async (sql: string, expected: (string | null)[][]) =>
    assert.deepEqual(await host.ask(sql), expected, sql);
  await check("SELECT DISTINCT remote_addr FROM logs", [["192.0.2.0"]]);
  await check("SELECT count(*) FROM logs WHERE remote_addr = '192.0.2.7'", [["0"]]);
  await check("SELECT max(REMOTE_ADDR) FROM logs", [["192.0.2.0"]]);
  await check("SELECT remote_addr FROM logs ORDER BY remote_addr DESC LIMIT 1", [["192.0.2.0"]]);
  const broadcast = [{
    name: "known",
    columns: [{ name: "address", type: "VARCHAR" }],
    values: [["192.0.2.7"]],
  }];
  const joined = "SELECT count(*) FROM logs JOIN known ON remote_addr = address";
  assert.deepEqual(await host.ask(joined, { broadcast }), [["0"]]);
});

Deno.test("a range that is longer, or none, is refused", async () => {
  await using host = await Host.open({ range: "2h" });
  const count = "SELECT count(*) FROM logs";
  assert.equal(await host.rule(count), "range");
  assert.equal(await host.rule(`${count} WHERE ts > now() - INTERVAL 3 HOUR`), "range");
  const since = (hours: number) => ({
    range: {
      since: new Date(Date.parse(NOW) - hours * 3_600_000).toISOString(),
      until: null,
      implied: false,
    },
  });
  assert.equal(await host.rule(count, since(3)), "range");
  await host.ask(count, since(2));
  await host.ask(`${count} WHERE ts > now() - INTERVAL 1 HOUR`);
});

Deno.test("rows and bytes: out of the host and looked into, tightened and never widened", async () => {
  await using host = await Host.open({ rows: 100, bytes: "1GB" });
  assert.equal(await host.rule("SELECT request FROM logs"), "rows");
  assert.equal((await host.ask("SELECT request FROM logs LIMIT 50"))[0]?.length, 50);
  const own = { limits: { ...LIMITS, rows_max: 10 } };
  await assert.rejects(host.ask("SELECT request FROM logs", own), { code: "too_many_rows" });
  await using narrow = await Host.open({ bytes_read: "1KB" });
  assert.equal(await narrow.rule("SELECT count(*) FROM logs"), "bytes_read");
  await using thin = await Host.open({ bytes: "2KB" });
  assert.equal(await thin.rule("SELECT request FROM logs"), "bytes");
});

/** DuckDB does not look for interrupts in it, and it takes hours. */
const UNSTOPPABLE =
  "SELECT sum(status + levenshtein(repeat('a', 1000000), repeat('b', 1000000))) FROM logs";
const STOPPABLE =
  "SELECT sum(length(regexp_replace(repeat(request, 500), '(a|b)*c', 'x', 'g'))) FROM logs";

Deno.test("what had to be killed is not run again, unless it is forced; a client's timeout is his own", async () => {
  await using quick = await Host.open({ timeout: "300ms" });
  await assert.rejects(quick.ask(STOPPABLE), {
    code: "timeout",
    message: /^policy.timeout of this host: stopped after 300 ms/,
  });
  assert.equal(quick.harmful.size, 0);
  await using host = await Host.open({ timeout: "2s" });
  const client = { limits: { ...LIMITS, timeout_ms: 200 } };
  await assert.rejects(host.ask(UNSTOPPABLE, client), {
    code: "timeout",
    message: /longer than its timeout/,
  });
  await assert.rejects(host.ask(UNSTOPPABLE, {}, AbortSignal.timeout(100)), { code: "timeout" });
  assert.equal(host.harmful.size, 0);
  await eventually(async () => {
    await assert.rejects(host.ask(UNSTOPPABLE), { code: "timeout" });
    return host.harmful.size > 0; // or it was not even planned by then: the machine is busy
  });
  assert.deepEqual([...host.harmful.keys()], [UNSTOPPABLE]);
  await assert.rejects(host.ask(UNSTOPPABLE, { force: true }), { code: "timeout" });
  await host.stopWorkers();
  assert.equal(await host.rule(UNSTOPPABLE), "denied"); // it is not even planned
  await assert.rejects(host.ask(STOPPABLE), { code: "unavailable" });
});

Deno.test("what would be refused is refused in the same words when it is to be explained; nothing runs", async () => {
  await using host = await Host.open({
    streams: ["logs"],
    columns: { logs: ["status", "request", "remote_addr", "line"] },
    mask: { remote_addr: "no_query" },
    range: "2h",
  });
  host.harmful.set(HARMFUL, "it was killed");
  const range: HostQuery["range"] = { ...ALL, since: "2026-11-22T19:00:00Z" };
  const said = async (sql: string, different: Partial<HostQuery>) => {
    const error = await host.ask(sql, different).then(() => null, (error: unknown) => error);
    assert(error instanceof LogvendError, `${sql}: ${error}`);
    const { code, message, details } = error;
    return { code, message, details };
  };
  const check = async (sql: string, code: string, rule?: string, asked = range) => {
    const run = await said(sql, { range: asked });
    assert.deepEqual([run.code, run.details.rule], [code, rule], run.message);
    assert.deepEqual(await said(sql, { range: asked, explain: true }), run);
  };
  await check("SELECT count(*) FROM rejects", "not_permitted", "streams");
  await check("SELECT http_user_agent FROM logs", "not_permitted", "columns");
  await check("SELECT line FROM logs", "not_permitted", "mask");
  await check("SELECT count(*) FROM logs", "not_permitted", "range", ALL);
  await check(HARMFUL, "not_permitted", "denied");
  await check("SELECT getenv('HOME') FROM logs", "bad_sql");
  const explained = { range, explain: true };
  assert.deepEqual(await host.ask(STOPPABLE, explained), [[]]);
  assert.deepEqual(await host.ask(HARMFUL, { ...explained, force: true }), [[]]);
  await using narrow = await Host.open({ bytes_read: "1KB" });
  assert.equal(await narrow.rule("SELECT count(*) FROM logs", explained), "bytes_read");
});

const HARMFUL = "SELECT max(status) FROM logs";

Deno.test("the fleet is told of the tables and columns that may be asked", () => {
  const policy = Policy.parse({ streams: ["logs"], mask: { request: "no_query" } });
  const [logs, ...others] = askable(policy, [...accessTables("logs"), ...accessTables("rejects")]);
  assert.equal(others.length, 0);
  const names = logs?.columns.map(({ name }) => name) ?? [];
  assert(names.includes("status") && names.includes("ts"));
  for (const hidden of ["request", "line", "line_bytes"]) assert(!names.includes(hidden), hidden);
});
