/** A stream of one format in a real store: its lines are read from files, and asked for in SQL. */
import { lineForm } from "../../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../../agent/ingest/read_file.ts";
import { dropping } from "../../../../../agent/rules/drop.ts";
import { Store } from "../../../../../agent/store/store.ts";
import { Stream } from "../../../../../agent/stream_config.ts";
import type { StreamConfig } from "../../../../../agent/stream_config.ts";
import { shapeOfFormat } from "../../../../../agent/stream_format.ts";
import { schemaOf } from "../../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";

/** The wall clock of all that happens here. */
export const NOW_MS = Date.parse("2026-11-23T10:00:00Z");

const PLACE = { host: "web-1", region: "eu" };

/** A stream as agent.yaml would have it. */
export function configured(config: Record<string, unknown>): StreamConfig {
  return Stream.parse({ name: "logs", files: ["/var/log/any.log"], ...config });
}

/** The store of a folder, as an agent with this stream opens it. */
export async function openStream(
  dataDir: string,
  { name, format }: StreamConfig,
  host = PLACE.host,
): Promise<Store> {
  return await Store.open({
    ...PLACE,
    host,
    dataDir,
    streams: [name],
    shapes: new Map([[name, shapeOfFormat(format)]]),
    sealAfterMs: 120_000,
    isBulk: true,
    clock: () => NOW_MS,
    signal: new AbortController().signal,
  });
}

/** Reads what a file has more than before. */
export async function readInto(store: Store, stream: StreamConfig, path: string) {
  await using sink = await dropping(store, [stream], PLACE);
  const form = lineForm(stream, store.shape(stream.name), null);
  return await readFile({ path, stream: stream.name, form, sink, nowMs: () => NOW_MS });
}

/** What SQL says over all rows of the stream. */
export async function ask(store: Store, sql: string, table = "logs") {
  await using snapshot = await store.snapshot({ tables: [table], since: null, until: null });
  await using engine = await Engine.open();
  const { files = [], shape } = snapshot.tables.get(table) ?? {};
  const source = { files, region: PLACE.region, since: null, until: null };
  await engine.run(`CREATE VIEW ${table} AS ${tableSelect(schemaOf(table, shape), source)}`);
  return await engine.read(sql);
}
