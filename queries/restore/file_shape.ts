/** What the rows of a stored file are made of, told from the file itself: agent.db may be lost. */
import { ACCESS_SHAPE } from "../../protocol/stream_shape.ts";
import type { StreamShape } from "../../protocol/stream_shape.ts";
import { ACCESS, streamSchema } from "../../protocol/streams.ts";
import { literal } from "../../protocol/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";

/** Only access logs have this one. */
const ACCESS_MARK = "request_time_ms";

/** Reads columns and layouts of one file. */
export async function shapeOfFile(engine: Engine, path: string): Promise<StreamShape> {
  const rows = `read_parquet(${literal(path)}, hive_partitioning = false)`;
  const columns = await engine.describe(`SELECT * FROM ${rows}`);
  const access = columns.some(({ name }) => name === ACCESS_MARK);
  const { physical } = access ? ACCESS : streamSchema({ ...ACCESS_SHAPE, access });
  const known = new Map(physical.map(({ name, type }) => [name, type]));
  const layouts = columns.some(({ name }) => name === "layout")
    ? await engine.read(
      `SELECT DISTINCT layout FROM ${rows} WHERE starts_with(layout, '[') AND ends_with(layout, ']')`,
    )
    : { rows: [] };
  return {
    access,
    fields: columns.filter(({ name, type }) => known.get(name) !== type),
    layouts: layouts.rows.map(([layout]) => String(layout)),
  };
}
