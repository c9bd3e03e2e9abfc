/** Makes the original text of log files up again from an archive, host by host, portion by portion. */
import { join } from "node:path";
import { EMPTY_SHAPE, uniteShapes } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { REJECTS, schemaOf } from "../../protocol/schema/streams.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { sqlError } from "../../queries/duckdb/sql_error.ts";
import { removeIfThere } from "../../protocol/durable_file.ts";
import { checkPlace } from "../../queries/chunk/check_place.ts";
import { ChunkError, ownFault } from "../../queries/chunk/chunk_error.ts";
import { admitPredicate } from "../../queries/predicate.ts";
import { shapeOfFile } from "../../queries/restore/file_shape.ts";
import { linesSelect } from "../../queries/restore/restore_sql.ts";
import type { Restored } from "../../queries/restore/restored_text.ts";
import { portionsOf } from "../../queries/restore/slices.ts";
import type { Portion, RunFile, Source } from "../../queries/restore/slices.ts";
import type { ArchivedChunk } from "./archived_chunks.ts";
import { fetchChunk } from "./fetch_chunk.ts";
import { readFooter } from "./footer.ts";
import type { Footer } from "./footer.ts";

/** What a portion of 128 MiB of text takes while it is put in order. */
const MEMORY_BYTES = 1e9;

/** Which lines of one host. */
export interface ArchiveRestore {
  stream: string;
  region: string;
  /** Of the stream and, without a condition, of the rejects. */
  chunks: readonly ArchivedChunk[];
  range: { since: string | null; until: string | null };
  /** As it was asked for; null: every line. */
  where: string | null;
  /** For the chunks of this host, and what is made of them. */
  scratchFolder: string;
  nowIso: string;
  /** Told of a chunk whose lines are lacking, and why: the others are restored. */
  onBad: (url: string, reason: string) => void;
}

/** A chunk that was fetched. */
interface Fetched {
  path: string;
  stream: string;
  footer: Footer;
}

/**
 * Yields the text of the host's files: by path at first sight, then in the order they were seen in.
 * @throws {LogvendError}
 */
export async function* restoreHost(
  request: ArchiveRestore,
  signal: AbortSignal,
): AsyncGenerator<Restored> {
  const { stream, scratchFolder } = request;
  const spillFolder = join(scratchFolder, "spill");
  await using engine = await Engine.open({ memoryBytes: MEMORY_BYTES, spillFolder });
  const fetched = await fetchAll(engine, request, signal);
  const rows = fetched.filter((chunk) => chunk.stream === stream);
  let shape: StreamShape = EMPTY_SHAPE;
  for (const { path } of rows) shape = uniteShapes(shape, await shapeOfFile(engine, path));
  const schema = schemaOf(stream, shape);
  const where = request.where === null ? null : (await admitPredicate({
    condition: request.where,
    table: stream,
    columns: schema.logical,
    now: request.nowIso,
  })).sql;
  const files = fetched.map(({ path, footer: { runs } }): RunFile => ({ path, runs }));
  const rejects = new Set(
    fetched.filter((chunk) => chunk.stream === REJECTS).map(({ path }) => path),
  );
  for (const portion of portionsOf(sourcesOf(fetched, stream), files)) {
    signal.throwIfAborted();
    const sql = linesSelect({
      ...request,
      schema,
      where,
      slices: portion.slices,
      files: portion.files.filter((path) => !rejects.has(path)),
      rejects: portion.files.filter((path) => rejects.has(path)),
    });
    yield await writePortion(engine, sql, { portion, file: join(scratchFolder, "lines") })
      .catch((error) => {
        throw where === null ? error : sqlError(error); // what is wrong may show on the rows only
      });
  }
}

async function writePortion(
  engine: Engine,
  sql: string,
  { portion, file }: { portion: Portion; file: string },
): Promise<Restored> {
  await engine.run(`CREATE OR REPLACE TABLE restored AS ${sql}`);
  const { rows } = await engine.read(
    `SELECT piece, count(*), sum(octet_length(bytes)), count(*) FILTER (is_cut)
     FROM restored GROUP BY piece ORDER BY piece`,
  );
  await engine.run(`COPY (SELECT bytes FROM restored) TO ${literal(file)} (FORMAT blob)`);
  await engine.run("DROP TABLE restored");
  const pieces = rows.flatMap((row) => {
    const [piece = 0, lines = 0, bytes = 0, cut = 0] = row.map(Number);
    const source = portion.slices[piece]?.source;
    return source === undefined ? [] : [{ source, lines, bytes, cut }];
  });
  return { file, pieces };
}

/** In the order of hours: rows without a position follow on those before. */
async function fetchAll(
  engine: Engine,
  { chunks, scratchFolder, onBad }: ArchiveRestore,
  signal: AbortSignal,
): Promise<Fetched[]> {
  const fetched: Fetched[] = [];
  for (const { store, object, place } of chunks) {
    const path = join(scratchFolder, `${place.chunk}.parquet`);
    try {
      const footer = await readFooter({ store, object }, object.etag, signal);
      checkPlace(footer.facts, place);
      const isCompared = await fetchChunk(store, object, { path, signal });
      if (!isCompared) await readThrough(engine, path);
      fetched.push({ path, stream: place.stream, footer });
    } catch (error) {
      const reason = ownFault(error);
      if (reason === null) throw error;
      await removeIfThere(path);
      onBad(`${store.url}/${object.key}`, reason);
    }
  }
  return fetched;
}

/** Without a checksum: what cannot be read is to be told of one chunk, not of all. */
async function readThrough(engine: Engine, path: string) {
  try {
    await engine.read(`SELECT count(COLUMNS(*)) FROM read_parquet(${literal(path)})`);
  } catch (cause) {
    throw new ChunkError("its rows cannot be read", cause);
  }
}

/** The generations of a stream as far as chunks of any hour know them. */
function sourcesOf(fetched: readonly Fetched[], stream: string): Source[] {
  const known = new Map<string, Footer["generations"][number]>();
  for (const generation of fetched.flatMap(({ footer }) => footer.generations)) {
    const before = known.get(generation.id);
    if (generation.stream !== stream || (before?.offset ?? 0) > generation.offset) continue;
    known.set(generation.id, {
      ...generation,
      inputPath: generation.inputPath ?? before?.inputPath ?? null,
    });
  }
  return [...known.values()].toSorted((a, b) => {
    const [left, right] = [a.inputPath ?? a.path, b.inputPath ?? b.path];
    return left < right ? -1 : left > right ? 1 : a.firstSeenMs - b.firstSeenMs;
  }).map(({ id, path, offset }) => ({ id, path, bytes: offset }));
}
