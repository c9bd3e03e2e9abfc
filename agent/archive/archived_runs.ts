/** Where the rows of an archived chunk lay in their log files, as runs of lines. */
import type { Column } from "../../protocol/wire/messages.ts";
import { REJECTS, schemaOf } from "../../protocol/schema/streams.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import { shapeOfFile } from "../../queries/restore/file_shape.ts";
import { placedRows } from "../../queries/restore/restore_sql.ts";
import type { LineRun } from "../store/archived_lines.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";

/** Runs that are handed on at once. */
const RUNS_AT_ONCE = 50_000;

export interface ChunkForm {
  /** The stream, or `rejects`. */
  table: string;
  /** Whether several lines may be one row: then only its length says where it ends. */
  hasRecords: boolean;
}

/** Of a chunk's columns those that say where its rows lay. Lengths derive from all of them. */
export function positionColumns(
  { table, hasRecords }: ChunkForm,
  columns: readonly Column[],
): ReadonlySet<string> {
  if (hasRecords) return new Set(columns.map(({ name }) => name));
  const wanted = ["generation", "line_offset", ...table === REJECTS ? ["length"] : []];
  const names = new Set(columns.map(({ name }) => name));
  return wanted.every((name) => names.has(name)) ? new Set(wanted) : new Set();
}

export interface RunsWanted extends ChunkForm {
  /** Of a Parquet file with these columns. */
  path: string;
  generations: readonly string[];
}

/** The runs of these generations. @throws {ChunkError} before the first, when they cannot be read */
export async function* archivedRuns(
  engine: Engine,
  wanted: RunsWanted,
): AsyncGenerator<(LineRun & { generation: string })[]> {
  const ids = wanted.generations.map(literal).join(", ");
  try {
    await engine.run(
      `CREATE TEMP TABLE runs AS SELECT generation, run_start, lines, run_end
       FROM (${await runsSelect(engine, wanted)})
       WHERE generation IN (${ids}) AND coalesce(run_end > run_start, true)`,
    );
  } catch (cause) {
    throw new ChunkError("it cannot be told where its lines lay", cause);
  }
  for (let from = 0;; from += RUNS_AT_ONCE) {
    const { rows } = await engine.read(
      `SELECT * FROM runs WHERE rowid >= ${from} AND rowid < ${from + RUNS_AT_ONCE}`,
    );
    if (rows.length === 0) return;
    yield rows.map(([generation, start, lines, end]) => ({
      generation: String(generation),
      start: Number(start),
      lines: Number(lines),
      end: end === null ? null : Number(end),
    }));
  }
}

/** Rows that follow one another in their file have a position at the first of them alone. */
async function runsSelect(
  engine: Engine,
  { table, hasRecords, path }: RunsWanted,
): Promise<string> {
  const file = `read_parquet(${literal(path)}, hive_partitioning = false`;
  if (table === REJECTS) {
    return `SELECT generation, line_offset AS run_start, 1 AS lines,
      line_offset + length AS run_end FROM ${file})`;
  }
  if (hasRecords) {
    const schema = schemaOf(table, await shapeOfFile(engine, path));
    return `SELECT at_generation AS generation, min(at_offset) AS run_start, count(*) AS lines,
      max(at_offset + at_length) AS run_end
      FROM (${placedRows(schema, [path])}) GROUP BY run, at_generation ORDER BY run`;
  }
  return `SELECT generation, line_offset AS run_start, NULL::BIGINT AS run_end,
    lead(file_row_number, 1, (SELECT count(*) FROM ${file})))
      OVER (ORDER BY file_row_number) - file_row_number AS lines
    FROM ${file}, file_row_number = true) WHERE line_offset IS NOT NULL`;
}
