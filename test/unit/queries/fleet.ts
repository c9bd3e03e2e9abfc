/** A fleet played in one DuckDB: plans run on each host's rows, and their merge beside the original. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { DuckDBValue } from "@duckdb/node-api";
import type { AnswerTable } from "../../../agent/store/answer.ts";
import type { Column, Table } from "../../../protocol/wire/messages.ts";
import { shownColumns } from "../../../protocol/schema/streams.ts";
import { identifier } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { columnsOf, exportTable } from "../../../queries/transfer/export.ts";
import { createPartialTable, importPart } from "../../../queries/transfer/import.ts";
import { accessTables } from "../../harness/tables.ts";

/** What now() stands for. */
export const NOW = "2026-11-22T19:00:00.250Z";
const NOW_SQL = "'2026-11-22 19:00:00.25+00'::TIMESTAMPTZ";

/** Of so many results of hosts one goes the way that it goes between machines; others are quicker. */
const TRANSFER_EVERY = 23;

/** How rows are dealt to hosts; the last host never has any. */
export const HOSTS = 5;
export const DEALS: Readonly<Record<string, string>> = {
  "by host": `CASE host WHEN 'web-1' THEN 0 WHEN 'web-2' THEN 1 WHEN 'web-3' THEN 2 ELSE 3 END`,
  "at random": `hash(host, ts, 7) % ${HOSTS - 1}`,
  "all to one": "2",
};

/** The rows of one table, of the whole fleet. */
export interface Sample {
  table: string;
  columns: readonly Column[];
  /** A SELECT with these columns, of types that cast to theirs. */
  sql: string;
}

/** One DuckDB with a schema for every host, one for the merge, and two with every row: whole, and as `*` shows it. */
export class Fleet implements AsyncDisposable {
  /** Whether no two hosts have rows of one name. */
  hostsAreWhole = true;
  private asked = 0;
  /** Tables of the asker's own, which every host and the merge have whole. */
  readonly own: Table[] = [];
  /** Tables that queries may name. */
  known: Table[] = accessTables("logs");

  private constructor(
    private readonly tables: readonly string[],
    readonly engine: Engine,
    readonly folder: string,
  ) {}

  static async open(samples: readonly Sample[]): Promise<Fleet> {
    const tables = samples.map(({ table }) => table);
    const fleet = new Fleet(tables, await Engine.open(), await Deno.makeTempDir());
    for (const schema of ["whole", "shown", "merge", ...hostNames()]) {
      await fleet.engine.run(`CREATE SCHEMA "${schema}"`);
    }
    for (const { table, columns, sql } of samples) {
      await fleet.replaceWhole(table, columns, sql);
    }
    return fleet;
  }

  /** Makes `sql` all rows of a table; hosts keep what they were dealt. */
  async replaceWhole(table: string, columns: readonly Column[], sql: string) {
    const typed = columns.map(({ name, type }) => {
      return `${identifier(name)}::${type} AS ${identifier(name)}`;
    });
    const shown = shownColumns(columns, new Set()).map(({ name }) => identifier(name));
    await this.engine.run(
      `CREATE OR REPLACE TABLE whole.${table} AS SELECT ${typed.join(", ")} FROM (${sql});
        CREATE OR REPLACE VIEW shown.${table} AS SELECT ${shown.join(", ")} FROM whole.${table}`,
    );
  }

  async deal(to: string, tables = this.tables) {
    this.hostsAreWhole = to !== DEALS["at random"];
    for (const [i, host] of hostNames().entries()) {
      for (const table of tables) {
        await this.engine.run(
          `CREATE OR REPLACE TABLE "${host}".${table} AS
            SELECT * FROM whole.${table} WHERE (${to}) = ${i}`,
        );
      }
    }
  }

  /** Gives the asker a table. */
  async give(name: string, sql: string) {
    await this.engine.run(`CREATE SCHEMA IF NOT EXISTS own; CREATE TABLE own.${name} AS ${sql}`);
    await this.engine.run("USE own");
    this.own.push({ name, columns: await columnsOf(this.engine, name) });
    for (const schema of ["whole", "shown", ...hostNames()]) await this.show(schema);
  }

  /** The asker's tables in a schema. */
  private async show(schema: string) {
    for (const { name } of this.own) {
      await this.engine.run(`CREATE OR REPLACE VIEW "${schema}".${name} AS FROM own.${name}`);
    }
  }

  /** Creates `whole.answer`. */
  async askWhole(sql: string) {
    const now = sql.replaceAll("now()", NOW_SQL);
    await this.engine.run(
      `USE ${sql.includes("line_bytes") ? "whole" : "shown"};
        CREATE OR REPLACE TABLE whole.shape AS ${sql} WITH NO DATA`,
    );
    // Not with the statement before: names of windows would be there twice.
    await this.engine.run(`CREATE OR REPLACE TABLE whole.answer AS ${now}`);
  }

  /** Creates `merge.answer`, as orchestrator and agents do. */
  async askHosts(plan: Plan, hosts = hostNames()) {
    await this.engine.run("DROP SCHEMA merge CASCADE; CREATE SCHEMA merge; USE merge");
    await this.show("merge");
    for (const { table, columns } of plan.partials) {
      await createPartialTable(this.engine, table, columns);
    }
    const here: string[] = [];
    for (const { table, sql, columns } of plan.partials) {
      for (const host of hosts) {
        const schema = await this.hostSchema(host, plan, sql);
        if (this.asked++ % TRANSFER_EVERY !== 0) {
          here.push(`USE "${schema}"; INSERT INTO merge.${table} ${sql};`);
          continue;
        }
        const part = await this.exported(schema, { table, sql });
        await this.engine.run("USE merge");
        assert.equal(await importPart(this.engine, table, columns, part), part.rows);
      }
    }
    await this.engine.run(
      `${here.join("")} USE merge; CREATE OR REPLACE TABLE answer AS ${plan.mergeSql}`,
    );
  }

  /** What a host sends. */
  async sentBy(host: string, plan: Plan): Promise<AnswerTable[]> {
    const sent: AnswerTable[] = [];
    for (const partial of plan.partials) {
      const schema = await this.hostSchema(host, plan, partial.sql);
      sent.push(await this.exported(schema, partial));
    }
    return sent;
  }

  private async exported(
    schema: string,
    { table, sql }: { table: string; sql: string },
  ): Promise<AnswerTable> {
    const file = join(this.folder, `${crypto.randomUUID()}.parquet`);
    await this.engine.run(`USE "${schema}"; CREATE OR REPLACE TABLE result AS ${sql}`);
    const exported = await exportTable(this.engine, "result", { file, textBytesMax: 4_000 });
    await this.engine.run("DROP TABLE result");
    return { table, ...exported };
  }

  /** What a host's SQL reads: where it says `*` or COLUMNS, no more than the columns that hosts read. */
  private async hostSchema(host: string, { columnsRead }: Plan, sql: string): Promise<string> {
    if (!/\*(,| FROM)|COLUMNS\(/.test(sql)) return host;
    const schema = `${host} read`;
    await this.engine.run(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    await this.show(schema);
    for (const [table, columns] of Object.entries(columnsRead)) {
      const list = columns.map(({ name }) => identifier(name)).join(", ");
      await this.engine.run(
        `CREATE OR REPLACE VIEW "${schema}".${table} AS SELECT ${list} FROM "${host}".${table}`,
      );
    }
    return schema;
  }

  /** Names and types as the SQL itself gives them, and the rows. */
  async answer(schema: "whole" | "merge", ordered: boolean) {
    await this.engine.run(`USE ${schema}`); // for `shape` and `answer`
    return {
      columns: await columnsOf(this.engine, schema === "whole" ? "shape" : "answer"),
      rows: await rowsOf(this.engine, { table: "answer", ordered }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The rows of a table as comparable texts. */
export async function rowsOf(
  engine: Engine,
  { table, ordered }: { table: string; ordered: boolean },
): Promise<string[]> {
  const { rows } = await engine.read(`FROM ${table}`);
  const texts = rows.map((row) => row.map(comparable).join(" | "));
  return ordered ? texts : texts.sort();
}

/** All of the fleet. */
export function hostNames(): string[] {
  return Array.from({ length: HOSTS }, (_, i) => `host-${i}`);
}

/** Sums of doubles in another order differ in their last digits. */
function comparable(value: DuckDBValue): string {
  return typeof value === "number" ? String(Number(value.toPrecision(12))) : String(value);
}
