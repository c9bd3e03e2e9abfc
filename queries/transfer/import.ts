/** Loads what another machine exported into a table, exactly, or not at all. */
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { textsOf } from "../duckdb/engine.ts";
import type { Engine } from "../duckdb/engine.ts";
import { sameColumns } from "../columns.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { carrierOf } from "./carriers.ts";

/** One host's table (or a piece of it, when text) as it came. */
export type Part =
  | { encoding: "text"; columns: Column[]; values: (string | null)[][] }
  | { encoding: "parquet"; file: string };

/** Creates the empty table that parts are loaded into: `columns` are those of the plan's partial. */
export async function createPartialTable(
  engine: Engine,
  table: string,
  columns: readonly Column[],
): Promise<void> {
  const list = columns.map(({ name, type }) => `${identifier(name)} ${type}`);
  await engine.run(`CREATE TABLE ${identifier(table)} (${list.join(", ")})`);
}

/** Makes a table of the asker's own. @throws {LogvendError} usage, when a value is not of its type */
export async function createBroadcastTable(
  engine: Engine,
  { name, columns, values }: BroadcastTable,
): Promise<void> {
  await createPartialTable(engine, name, columns);
  try {
    await importPart(engine, name, columns, { encoding: "text", columns, values });
  } catch (cause) {
    for (const [i, column] of columns.entries()) {
      const wrong = await firstWrong(engine, column, values[i] ?? []);
      if (wrong === null) continue;
      const message = `--with ${name}: row ${wrong.row} has "${wrong.value}" in the column ` +
        `${column.name} of type ${column.type}`;
      throw new LogvendError("usage", message, { cause });
    }
    throw cause;
  }
}

/** The first value that is not of a column's type, and its row from 1 on. */
async function firstWrong(
  engine: Engine,
  { type }: Column,
  values: readonly (string | null)[],
): Promise<{ row: number; value: string } | null> {
  const { rows } = await engine.read(
    `SELECT v IS NOT NULL AND TRY_CAST(v AS ${type}) IS NULL FROM (SELECT unnest(${
      textsOf("v")
    }) AS v)`,
    { v: JSON.stringify(values) },
  );
  const at = rows.findIndex(([isWrong]) => isWrong === true);
  return at < 0 ? null : { row: at + 1, value: values[at] ?? "" };
}

/**
 * Adds a part to a table made by createPartialTable, and returns how many rows it held.
 * @throws {LogvendError} usage, when the part has not exactly the expected columns and values
 */
export async function importPart(
  engine: Engine,
  table: string,
  columns: readonly Column[],
  part: Part,
): Promise<number> {
  try {
    if (part.encoding === "parquet") {
      return await importParquet(engine, { table, columns }, part.file);
    }
    const importText = await prepareTextImport(engine, table, columns);
    return await importText(part);
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    throw refused(messageOf(cause), cause);
  }
}

interface Target {
  table: string;
  columns: readonly Column[];
}

/** What a text part holds. */
export type TextPart = Extract<Part, { encoding: "text" }>;

/** Adds a text part and returns how many rows it held. @throws {LogvendError} usage */
export type TextImport = (part: TextPart) => Promise<number>;

/** What importPart does with text parts, prepared while nobody waits for it. */
export async function prepareTextImport(
  engine: Engine,
  table: string,
  columns: readonly Column[],
): Promise<TextImport> {
  const typed = columns.map(({ type }, i) => `CAST(unnest(${textsOf(`c${i}`)}) AS ${type})`);
  const insert = await engine.prepareOnTexts(
    `INSERT INTO ${identifier(table)} SELECT ${typed.join(", ")}`,
  );
  return async ({ columns: found, values }) => {
    const rows = values[0]?.length ?? 0;
    if (!sameColumns(found, columns)) throw refused("the columns are not those expected");
    if (values.length !== columns.length || values.some((column) => column.length !== rows)) {
      throw refused("the columns differ in length or number");
    }
    if (rows === 0) return 0;
    try {
      await insert(Object.fromEntries(values.map((column, i) => [`c${i}`, column])));
    } catch (cause) {
      throw refused(messageOf(cause), cause);
    }
    return rows;
  };
}

async function importParquet(
  engine: Engine,
  { table, columns }: Target,
  file: string,
): Promise<number> {
  await checkColumns(engine, columns, file);
  const inserted = await engine.read(
    `INSERT INTO ${identifier(table)} ${parquetSelect(columns, [file])}`,
  );
  return Number(inserted.rows[0]?.[0]);
}

/** The rows of Parquet parts that were checked, read where they lie. */
export function parquetSelect(columns: readonly Column[], files: readonly string[]): string {
  const typed = columns.map(({ name, type }) =>
    `CAST(${identifier(name)} AS ${type}) AS ${identifier(name)}`
  );
  return `SELECT ${typed.join(", ")} FROM ${readParquet(files)}`;
}

/**
 * Checks a Parquet part that is left where it lies, and returns how many rows it says to hold.
 * @throws {LogvendError} usage, when it has not exactly the expected columns
 */
export async function checkParquet(
  engine: Engine,
  columns: readonly Column[],
  file: string,
): Promise<number> {
  try {
    await checkColumns(engine, columns, file);
    const { rows } = await engine.read(
      `SELECT num_rows FROM parquet_file_metadata([${literal(file)}])`,
    );
    return Number(rows[0]?.[0]);
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    throw refused(messageOf(cause), cause);
  }
}

async function checkColumns(engine: Engine, columns: readonly Column[], file: string) {
  const { rows } = await engine.read(`DESCRIBE SELECT * FROM ${readParquet([file])}`);
  const found = rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
  const carried = columns.map(({ name, type }) => ({ name, type: carrierOf(type) ?? type }));
  if (!sameColumns(found, carried)) throw refused("the columns are not those expected");
}

function readParquet(files: readonly string[]): string {
  return `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = false)`;
}

function refused(why: string, cause?: unknown): LogvendError {
  return new LogvendError("usage", `Cannot take a host's result: ${why}`, { cause });
}
