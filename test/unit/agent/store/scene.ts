/** A store in a folder of its own, and batches for it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newAccessRows } from "../../../../agent/store/rows/rows.ts";
import type { Batch, Generation } from "../../../../agent/store/batch.ts";
import { Store } from "../../../../agent/store/store.ts";
import type { SnapshotSource } from "../../../../agent/store/snapshot.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { ACCESS } from "../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";

export const HOUR_MS = 3_600_000;
export const START_MS = Date.parse("2026-11-22T18:00:00Z");
export const GENERATION: Generation = {
  id: "00000000000000aa",
  stream: "logs",
  path: "/var/log/access.log",
  device: 1,
  inode: 2,
  offset: 0,
  lines: 0,
  headSha256: null,
  headBytes: 0,
  tailSha256: null,
  contentSha256: null,
  firstSeenMs: START_MS,
};

/** Ten bytes a line: `line 00042` without its line feed would be 10; here text and length agree. */
export function batch(startLine: number, count: number, atMs: (line: number) => number): Batch {
  const lines = Array.from({ length: count }, (_, i) => startLine + i);
  const text = lines.map((line) => `l${String(line).padStart(8, "0")}`);
  const rows = newAccessRows(Math.max(1, count));
  for (const [i, line] of lines.entries()) {
    rows.columns.ts.set(i, BigInt(atMs(line)) * 1_000n);
    rows.columns.status.set(i, 200);
    rows.columns.body_bytes_sent.setNumber(i, line);
    rows.columns.line_text.set(i, text[i] ?? null);
    rows.columns.line_offset.setNumber(i, line * 10);
    rows.columns.line_length.setHidden(i, 10);
    rows.count++;
  }
  return {
    generation: GENERATION.id,
    startOffset: startLine * 10,
    endOffset: (startLine + count) * 10,
    lines: count,
    rows,
    shape: ACCESS_SHAPE,
    rejects: [],
    dropped: { ts: [], rule: [], line_length: [] },
    tail: new TextEncoder().encode(text.at(-1)),
  };
}

/** A data folder whose store can be left without a flush, as by kill -9, and opened again. */
export async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The store of a folder, whose parts are sealed after two quiet minutes. */
export async function open(
  path: string,
  clock: () => number = () => START_MS + HOUR_MS / 2,
  signal = new AbortController().signal,
  host = "web-1",
) {
  return await Store.open({
    dataDir: path,
    host,
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 120_000,
    clock,
    signal,
  });
}

/** What SQL says over everything a source has of logs. */
export async function read(source: SnapshotSource, sql: string) {
  await using snapshot = await source.snapshot({ tables: ["logs"], since: null, until: null });
  await using engine = await Engine.open();
  const files = snapshot.tables.get("logs")?.files ?? [];
  const select = tableSelect(ACCESS, { files, region: "eu", since: null, until: null });
  await engine.run(`CREATE VIEW logs AS ${select}`);
  return (await engine.read(sql)).rows;
}

export const COUNT = "SELECT count(*)::INT, count(DISTINCT line)::INT FROM logs";

/** Every Parquet file below a folder. */
export async function parquetFiles(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const child = join(path, entry.name);
    if (entry.isDirectory) found.push(...await parquetFiles(child));
    else if (entry.name.endsWith(".parquet")) found.push(child);
  }
  return found;
}

/** What a kill at this moment would leave behind. */
export async function copy(from: string, to: string) {
  const { success } = await new Deno.Command("cp", { args: ["-r", `${from}/.`, to] }).output();
  assert.ok(success);
}
