/** `--with users=users.csv`: reads the files of tables that go to every host with the query. */
import { extname } from "node:path";
import { PlainType } from "../../protocol/wire/broadcast.ts";
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { StreamName } from "../../protocol/names.ts";
import { identifier, literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { columnsOf } from "../../queries/transfer/export.ts";

/**
 * How DuckDB reads files, by their extension: all rows decide about types. Without `skip = 0` it would
 * leave out first lines that have fewer fields than a later one.
 */
const READERS: Readonly<Record<string, (path: string) => string>> = {
  ".csv": (path) => `read_csv(${path}, sample_size = -1, skip = 0)`,
  ".tsv": (path) => `read_csv(${path}, sample_size = -1, skip = 0, delim = '\\t')`,
  ".json": (path) => `read_json(${path}, sample_size = -1)`,
  ".jsonl": (path) => `read_json(${path}, sample_size = -1)`,
  ".ndjson": (path) => `read_json(${path}, sample_size = -1)`,
  ".parquet": (path) => `read_parquet(${path})`,
};

const UNLIKE_LINES = "not every line has as many fields as the first one and ends like it";

/** Files of megabytes are refused later: this many rows are not even read. */
const ROWS_MAX = 100_000;

/** Reads tables, each `name=path`. @throws {LogvendError} usage */
export async function readBroadcast(given: readonly string[]): Promise<BroadcastTable[]> {
  await using engine = await Engine.open();
  const tables: BroadcastTable[] = [];
  for (const one of given) {
    const same = tables.find(({ name }) => one.startsWith(`${name}=`));
    if (same !== undefined) {
      throw new LogvendError("usage", `--with ${one}: there is a table ${same.name} already`);
    }
    tables.push(await readOne(engine, one));
  }
  return tables;
}

async function readOne(engine: Engine, given: string): Promise<BroadcastTable> {
  const refuse = (why: string, cause?: unknown) =>
    new LogvendError("usage", `--with ${given}: ${why}`, { cause });
  const [, name = "", path = ""] = /^([^=]*)=(.+)$/s.exec(given) ?? [];
  const checked = StreamName.safeParse(name);
  if (!checked.success) {
    throw refuse("wanted NAME=FILE, e.g. users=users.csv; NAME like a column's");
  }
  const reader = READERS[extname(path).toLowerCase()];
  if (reader === undefined) {
    throw refuse(`wanted a file that ends in ${Object.keys(READERS).join(", ")}`);
  }
  try {
    if ((await Deno.stat(path)).size === 0) throw refuse("the file is empty");
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    throw refuse(cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause), cause);
  }
  const table = identifier(name);
  try {
    const source = reader(literal(path));
    await engine.createTable(table, `SELECT * FROM ${source} LIMIT ${ROWS_MAX + 1}`);
  } catch (cause) {
    const [why = ""] = messageOf(cause).split("\n");
    throw refuse(/sniffing/.test(why) ? UNLIKE_LINES : why, cause);
  }
  const columns = await columnsOf(engine, name);
  // So does DuckDB read a file whose lines have not all as many fields as the first.
  if (columns.length === 1 && /[,;|\t]/.test(columns[0]?.name ?? "")) {
    throw refuse(UNLIKE_LINES);
  }
  const other = columns.find(({ type }) => !PlainType.safeParse(type).success);
  if (other !== undefined) {
    throw refuse(`column ${other.name} is a ${other.type}: only plain values can be joined`);
  }
  const list = columns.map((column) => `${identifier(column.name)}::VARCHAR`);
  const { rows } = await engine.read(`SELECT ${list.join(", ")} FROM ${table}`);
  if (rows.length > ROWS_MAX) throw refuse(`it has more than ${ROWS_MAX} rows`);
  const values = columns.map((_, i) => rows.map((row) => row[i] === null ? null : String(row[i])));
  return { name, columns, values };
}
