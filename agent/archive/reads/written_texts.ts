/**
 * Numbers in columns that have become text: they read as their lines have them, `5.10` and not `5.1`.
 * What of an archived chunk that takes beside the column: its layouts, and lines that are kept whole
 * where a number of them reads otherwise.
 */
import type { Column } from "../../../protocol/wire/messages.ts";
import { isWholeNumber } from "../../../protocol/schema/streams.ts";
import { identifier, literal } from "../../../protocol/schema/table_sql.ts";
import type { Engine } from "../../../queries/duckdb/engine.ts";
import { shapeOfColumns } from "../../../queries/restore/file_shape.ts";

/** What such texts are made of beside their column. */
export const LINE_PARTS: readonly string[] = ["layout", "line_text"];

/**
 * Names of a chunk's own columns that are read as texts, and may read otherwise than they are stored.
 * @param logical columns that are read, with the types that the fleet gives them
 */
export function writtenColumns(columns: readonly Column[], logical: readonly Column[]): string[] {
  const names = columns.map(({ name }) => name);
  if (!LINE_PARTS.every((part) => names.includes(part))) return []; // of an older version
  const asTexts = new Set(
    logical.filter(({ type }) => type === "VARCHAR").map(({ name }) => name.toLowerCase()),
  );
  return shapeOfColumns(columns).fields
    .filter(({ name, type }) =>
      ["VARCHAR", "DOUBLE"].includes(type) && asTexts.has(name.toLowerCase())
    )
    .map(({ name }) => name);
}

/** Those of some columns that have whole numbers in lines that are kept whole: `5.0` may be `5` there. */
export async function shorterColumns(
  engine: Engine,
  path: string,
  written: readonly string[],
): Promise<string[]> {
  const tests = written.map((name) => `bool_or(${isWholeNumber(`${identifier(name)}::VARCHAR`)})`);
  const from = `read_parquet(${literal(path)}, hive_partitioning = false)`;
  const isKeptWhole = "NOT coalesce(starts_with(layout, '['), false)"; // of most chunks no line is
  const { rows: [found = []] } = await engine.read(
    `SELECT ${tests.join(", ")} FROM ${from} WHERE ${isKeptWhole}`,
  );
  return written.filter((_, i) => found[i] === true);
}
