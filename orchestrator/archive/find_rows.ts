/**
 * Which rows of an archived chunk an erasure means. Most chunks have none, and the columns of the
 * condition tell: the rest is fetched only of those that have some.
 */
import { rename } from "node:fs/promises";
import { requestsFor, totalBytes } from "../../protocol/archive/ranges.ts";
import type { ByteRange } from "../../protocol/archive/ranges.ts";
import { EMPTY_SHAPE } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { rangesOf } from "../../queries/chunk/choose.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";
import { cutFooter } from "../../queries/chunk/cut_footer.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import { columnsRead, rowsQuery } from "../../queries/erase/condition.ts";
import type { Erased, ErasedCondition } from "../../queries/erase/condition.ts";
import { shapeOfFile } from "../../queries/restore/file_shape.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";
import type { ChosenGroups } from "./chosen_groups.ts";
import { fetchRanges } from "./fetch_chunk.ts";

/** Where columns are more of a chunk than this, it is fetched at once and looked at once. */
const SHARE_MAX = 0.8;

/** What is looked for, in one file of a chunk. */
export interface Search {
  engine: Engine;
  erasure: Erased;
  condition: ErasedCondition;
  /** The chunk's. */
  path: string;
  /** To which the places of the rows are written. */
  rows: string;
}

/** Null: no row is meant. Else what the rows of the file are made of; their places are written. */
export async function findRows(
  { engine, erasure, condition, path, rows }: Search,
  { stream: table, region }: ArchivedChunk["place"],
): Promise<StreamShape | null> {
  const shape = table === REJECTS ? EMPTY_SHAPE : await shapeOfFile(engine, path);
  const query = rowsQuery(erasure, condition, { table, path, shape, region });
  if (query === null) return null;
  await engine.run(`CREATE OR REPLACE TEMP VIEW "${query.view.table}" AS ${query.view.sql}`);
  const written = await engine.read(`COPY (${query.sql}) TO ${literal(rows)} (FORMAT parquet)`);
  return Number(written.rows[0]?.[0]) > 0 ? shape : null;
}

/**
 * Looks for such rows in the columns that the condition is about.
 * @returns null: there are none. Else what of the chunk is in the file by now: to be fetched to its
 * end, and looked at as a whole
 * @throws {ObjectStoreError}
 */
export async function findInColumns(
  chunk: ArchivedChunk,
  { footer, groups }: ChosenGroups,
  search: Search,
  signal: AbortSignal,
): Promise<readonly ByteRange[] | null> {
  const { store, object, place } = chunk;
  const { erasure, condition } = search;
  const about = { table: place.stream, region: place.region };
  const file = { ...about, path: search.path, shape: EMPTY_SHAPE };
  if (groups.length === 0 || rowsQuery(erasure, condition, file) === null) return null;
  const wanted = rangesOf(groups, columnsRead(erasure, { ...about, columns: footer.columns }));
  const end = endOf({ footer, groups });
  const isMost = totalBytes(wanted) > object.bytes * SHARE_MAX;
  if (erasure.where === "" || isMost || end === null) return [];
  // DuckDB remembers what it has read by a file's name, size and time: the whole one has another name.
  const path = `${search.path}.columns`;
  const ranges = requestsFor(wanted);
  await fetchRanges(store, object, { path, ranges, signal });
  await writeAt(path, footer.offset, end);
  const mayBeThere = await findRows({ ...search, path }, place).then(
    (shape) => shape !== null,
    () => true, // of what is damaged the whole says more
  );
  if (!mayBeThere) return null;
  await rename(path, search.path);
  return ranges;
}

/** Of a file that has these row groups only. Null: the footer cannot be cut. */
function endOf({ footer, groups }: ChosenGroups): Uint8Array | null {
  try {
    return cutFooter(footer.bytes, new Set(groups.map(({ index }) => index)));
  } catch (error) {
    if (error instanceof ChunkError) return null;
    throw error;
  }
}

async function writeAt(path: string, offset: number, bytes: Uint8Array) {
  const file = await Deno.open(path, { write: true, create: true });
  await file.seek(offset, Deno.SeekMode.Start);
  await ReadableStream.from([bytes]).pipeTo(file.writable);
}
