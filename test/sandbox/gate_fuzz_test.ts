/**
 * Whatever passes the gate binds to allowed tables and functions only: DuckDB's own plan of the text
 * that would run says so.
 */
import assert from "node:assert/strict";
import { printSql } from "../../queries/ast.ts";
import { walk } from "../../queries/ast_nodes.ts";
import type { AstValue } from "../../queries/ast_nodes.ts";
import { parseLossless, rawNumber } from "../../queries/lossless_json.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { admit } from "../../queries/gate.ts";
import { AGGREGATES, SCALARS, TABLE_FUNCTIONS } from "../../queries/gate_functions.ts";
import { Random } from "../faults/random.ts";
import { readCorpus } from "./corpus.ts";
import { SEED, times } from "../harness/seed.ts";

const ROUNDS = times(1_500);

/** What DuckDB scans for the tables that may be named. */
const SCANNED = /^memory\.main\.stored_(logs|rejects)$/;

const NAMES = [
  "logs",
  "rejects",
  "x",
  "secrets",
  "duckdb_settings",
  "sqlite_master",
  '"/etc/passwd"',
];
const SOURCES = [
  ...NAMES,
  "'/etc/passwd'",
  "main.logs",
  "memory.main.stored_logs",
  "stored_logs",
  "information_schema.tables",
  "range(3)",
  "generate_series(1, 2)",
  "unnest([1, 2])",
  "read_text('/etc/passwd')",
  "glob('/*')",
  "duckdb_functions()",
  "query('FROM stored_logs')",
  "query_table('stored_logs')",
  "(VALUES (1), (2))",
  "pragma_version()",
  "repeat_row(1, num_rows = 2)",
];
const CALLS = [
  ...[...SCALARS].filter((name) => /^[a-z]/.test(name)),
  ...[...AGGREGATES],
  ..."getenv current_setting read_text json_structure nextval pg_typeof has_table_privilege".split(
    " ",
  ),
  ..."current_query getvariable txid_current finalize error sleep_ms icu_sort_key st_area".split(
    " ",
  ),
];
const ATOMS = [
  "1",
  "'a'",
  "status",
  "request",
  "ts",
  "*",
  "x",
  "NULL",
  "logs",
  "#1",
  "[1, 2]",
  "current_user",
];

/** Random SQL: some of it right, some of it not, some of it out for what it may not have. */
class Writer {
  constructor(private readonly random: Random, private readonly attacks: readonly string[]) {}

  statement(): string {
    if (this.random.chance(0.15)) return this.spliced();
    return this.select(3);
  }

  /** A piece of an attack in a harmless query. */
  private spliced(): string {
    const attack = this.random.pick(this.attacks);
    const holes = [
      (sql: string) => `SELECT * FROM (${sql}) t`,
      (sql: string) => `WITH x AS (${sql}) SELECT * FROM x, logs`,
      (sql: string) => `SELECT (${sql}) FROM logs`,
      (sql: string) => `SELECT 1 /* ${sql} */ FROM logs`,
      (sql: string) => `SELECT '${sql}' FROM logs`,
      (sql: string) => `SELECT 1 FROM logs -- ${sql}`,
      (sql: string) => `SELECT 1 FROM logs UNION ALL ${sql}`,
      (sql: string) => `${sql} UNION ALL SELECT 1`,
      (sql: string) => `FROM logs WHERE EXISTS (${sql})`,
    ];
    return this.random.pick(holes)(attack);
  }

  private select(depth: number): string {
    const list = Array.from({ length: this.random.between(1, 3) }, () => this.expression(depth));
    return [
      this.random.chance(0.3) ? `WITH ${this.random.pick(NAMES)} AS (${this.inner(depth)})` : "",
      `SELECT ${list.join(", ")}`,
      this.random.chance(0.8) ? `FROM ${this.source(depth)}` : "",
      this.random.chance(0.3) ? `WHERE ${this.expression(depth)} = ${this.expression(depth)}` : "",
      this.random.chance(0.2) ? "GROUP BY ALL" : "",
      this.random.chance(0.1) ? `ORDER BY ${this.expression(depth)}` : "",
      this.random.chance(0.1) ? "LIMIT 3" : "",
    ].join(" ");
  }

  private inner(depth: number): string {
    return depth > 0 ? this.select(depth - 1) : "SELECT 1 AS x";
  }

  private source(depth: number): string {
    if (this.random.chance(0.2)) return `(${this.inner(depth)}) AS x`;
    if (this.random.chance(0.2)) {
      return `${this.random.pick(SOURCES)} a, ${this.random.pick(SOURCES)} b`;
    }
    return this.random.pick(
      this.random.chance(0.6) ? ["logs", "rejects", "range(3)", "x"] : SOURCES,
    );
  }

  private expression(depth: number): string {
    if (depth === 0 || this.random.chance(0.5)) return this.random.pick(ATOMS);
    if (this.random.chance(0.15)) return `(${this.inner(depth)})`;
    const count = this.random.between(0, 2);
    const children = Array.from({ length: count }, () => this.expression(depth - 1));
    return `${this.random.pick(CALLS)}(${children.join(", ")})`;
  }
}

Deno.test("what passes the gate binds to allowed tables and functions only", async () => {
  await using gate = await Engine.open();
  await using oracle = await Engine.open();
  for (const table of ["logs", "rejects"]) {
    await oracle.run(
      `CREATE TABLE stored_${table} (status INTEGER, request VARCHAR, ts TIMESTAMP)`,
    );
    await oracle.run(`CREATE VIEW ${table} AS FROM stored_${table}`);
  }
  const attacks = (await readCorpus("attacks.txt", {})).map(({ sql }) => sql);
  const writer = new Writer(new Random(SEED), attacks);
  let bound = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const sql = writer.statement();
    const admitted = await admit(gate, sql, ["logs", "rejects"]).catch(() => null);
    if (admitted === null || admitted.readsCatalog) continue;
    const [text = ""] = await printSql(gate, [admitted.node]);
    for (const name of await calledBy(oracle, text)) {
      const isAllowed = SCALARS.has(name) || AGGREGATES.has(name) || TABLE_FUNCTIONS.has(name);
      assert(isAllowed, `${name}() in ${text}, from ${sql}, seed ${SEED}`);
    }
    const plan = await oracle.read(`EXPLAIN (FORMAT JSON) ${text}`).catch(() => null);
    if (plan === null) continue; // it does not bind: it does not run
    bound++;
    for (const { table, called } of scansOf(JSON.parse(String(plan.rows[0]?.[1])))) {
      assert(
        table === null || SCANNED.test(table),
        `${table} in ${text}, from ${sql}, seed ${SEED}`,
      );
      const isAllowed = called === null || TABLE_FUNCTIONS.has(called.toLowerCase());
      assert(isAllowed, `${called} in ${text}, from ${sql}, seed ${SEED}`);
    }
  }
  assert(bound > ROUNDS / 20, `only ${bound} of ${ROUNDS} ran`);
});

/** Functions of a text, as DuckDB's parser names them anew. */
async function calledBy(engine: Engine, text: string): Promise<string[]> {
  const { rows } = await engine.compute("SELECT json_serialize_sql($text::VARCHAR)::VARCHAR", {
    text,
  });
  const tree = parseLossless(String(rows[0]?.[0]), rawNumber) as AstValue;
  return walk(tree).map((node) => node["function_name"])
    .filter((name) => typeof name === "string").map((name) => name.toLowerCase()).toArray();
}

interface Scan {
  table: string | null;
  called: string | null;
}

/** What the operators of a plan read. */
function scansOf(plan: unknown): Scan[] {
  if (Array.isArray(plan)) return plan.flatMap(scansOf);
  if (typeof plan !== "object" || plan === null) return [];
  const { extra_info: info, children } = plan as { extra_info?: unknown; children?: unknown };
  const { Table = null, Function = null } = (info ?? {}) as Record<string, unknown>;
  const own = { table: textOrNull(Table), called: textOrNull(Function) };
  return [own, ...scansOf(children)];
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value);
}
