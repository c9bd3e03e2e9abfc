/** What the rows of a stored file are made of, told from the file itself: agent.db may be lost. */
import type { Column } from "../../protocol/wire/messages.ts";
import { ACCESS_SHAPE } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { ACCESS, LAYOUT, streamSchema } from "../../protocol/schema/streams.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";

/** Only access logs have this one. */
const ACCESS_MARK = "request_time_ms";

/** Reads columns and layouts of one file. */
export async function shapeOfFile(engine: Engine, path: string): Promise<StreamShape> {
  const columns = await engine.describe(`SELECT * FROM ${rowsOf(path)}`);
  const hasLayouts = columns.some(({ name }) => name === "layout");
  const layouts = hasLayouts ? await layoutsOfFile(engine, path) : [];
  return { ...shapeOfColumns(columns), layouts };
}

/** The same without layouts, of the columns that a file has. */
export function shapeOfColumns(columns: readonly Column[]): StreamShape {
  const access = columns.some(({ name }) => name === ACCESS_MARK);
  const { physical } = access ? ACCESS : streamSchema({ ...ACCESS_SHAPE, access });
  const known = new Map(physical.map(({ name, type }) => [name, type]));
  return {
    access,
    fields: columns.filter(({ name, type }) => known.get(name) !== type),
    layouts: [],
  };
}

/** The layouts of a file that has that column, but for those with names. */
export async function layoutsOfFile(engine: Engine, path: string): Promise<string[]> {
  const { rows } = await engine.read(
    `SELECT DISTINCT ${LAYOUT} AS layout FROM ${rowsOf(path)}
     WHERE starts_with(layout, '[') AND ends_with(${LAYOUT}, ']')`,
  );
  return rows.map(([layout]) => String(layout));
}

function rowsOf(path: string): string {
  return `read_parquet(${literal(path)}, hive_partitioning = false)`;
}
