/** The catalog of a fleet: what any host has, known without asking one. */
import assert from "node:assert/strict";
import type { Column } from "../../../../protocol/wire/messages.ts";
import { tablesOf } from "../../../../protocol/schema/streams.ts";
import { error, Scene } from "../scene.ts";

/** Tables of a host whose only stream has these columns of its own. */
function tables(fields: Column[]) {
  return tablesOf(["logs"], () => ({ access: false, fields, layouts: [] }));
}

/** Two hosts: the second one has a column more, and another that is wider. */
async function startScene() {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await Scene.start());
  const commands: string[] = [];
  const script = ({ command }: { command: { sql: string } }) => void commands.push(command.sql);
  const level = { name: "level", type: "VARCHAR" };
  const took = { name: "took", type: "INTEGER" };
  await scene.agent({ host: "web-1", script, tables: tables([level, took]) });
  const more = [level, { name: "took", type: "DOUBLE" }, { name: "user_id", type: "BIGINT" }];
  await scene.agent({ host: "web-2", script, tables: tables(more) });
  const owned = stack.move();
  return { scene, commands, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

Deno.test("tables and columns are those of all hosts, and no host is asked", async () => {
  await using fleet = await startScene();
  const { scene, commands } = fleet;
  const shown = await scene.ask({ sql: "SHOW TABLES" });
  assert.deepEqual(
    shown.rows.map(({ name }) => name),
    ["accounting", "logs", "query_log", "rejects"],
  );
  const { rows, end } = await scene.ask({ sql: "DESCRIBE logs", selector: "host = web-1" });
  assert.deepEqual(rows.map(({ column_name: name, column_type: type }) => `${name} ${type}`), [
    "ts TIMESTAMP",
    "level VARCHAR",
    "took DOUBLE",
    "user_id BIGINT",
    "host VARCHAR",
    "region VARCHAR",
    "line VARCHAR",
  ]);
  const { mode, range, coverage } = end;
  assert.deepEqual({ mode, range }, { mode: "catalog", range: { since: null, until: null } });
  const { asked, answered, rows_scanned, missing } = coverage;
  assert.deepEqual({ asked, answered, rows_scanned, missing }, {
    asked: 0,
    answered: 0,
    rows_scanned: 0,
    missing: [],
  });
  const counted = await scene.ask({
    sql: `SELECT table_name, count(*) AS n FROM information_schema.columns
          WHERE table_name <> 'rejects' GROUP BY 1 ORDER BY 1`,
    format: "csv",
  });
  assert.equal(
    new TextDecoder().decode(counted.bytes),
    "table_name,n\naccounting,11\nlogs,7\nquery_log,16\n",
  );
  assert.deepEqual(commands, []);
});

Deno.test("explain shows that the catalog asks nobody", async () => {
  await using fleet = await startScene();
  const { mode, hosts, missing, partials, merge_sql } = await fleet.scene.explain("SHOW TABLES");
  assert.deepEqual({ mode, hosts, missing, partials }, {
    mode: "catalog",
    hosts: [],
    missing: [],
    partials: [],
  });
  assert.match(merge_sql, /accounting/);
});

Deno.test("the catalog is bounded like every query: bad SQL, the time, one request a signature", async () => {
  await using fleet = await startScene();
  const { scene } = fleet;
  const unknown = await error(scene.ask({ sql: "DESCRIBE lgos" }));
  assert.deepEqual([unknown.code, unknown.exitCode], ["bad_sql", 64]);
  assert.match(unknown.message, /There is no table "lgos".*Did you mean logs\?/);
  const joins = Array.from({ length: 8 }, (_, i) => `information_schema.columns AS c${i}`);
  const slow = scene.ask({
    sql: `SELECT count(*) FROM ${joins.join(", ")} WHERE hash(c0.column_name, c7.column_name) = 1`,
    limits: { timeout_ms: 300 },
  });
  assert.equal((await error(slow)).code, "timeout");
  const { sql, token } = await scene.sign({ sql: "SHOW TABLES" });
  const url = new URL("/v1/query?format=csv", scene.orchestrator.url);
  const post = () =>
    fetch(url, { method: "POST", body: sql, headers: { "logvend-signature": token } });
  const first = await post();
  assert.equal(await first.text(), "name\naccounting\nlogs\nquery_log\nrejects\n");
  assert.equal(first.headers.get("logvend-answer"), "complete");
  const second = await post();
  assert.equal(second.status, 403);
  await second.body?.cancel();
});
