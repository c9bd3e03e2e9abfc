/** Looks at a chunk for the catalog: its rows and times, and the texts of its indexed columns. */
import type { Column } from "../../../protocol/wire/messages.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import { schemaOf } from "../../../protocol/schema/streams.ts";
import { identifier, literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { layoutsOfFile, shapeOfColumns } from "../../../queries/restore/file_shape.ts";
import { numberLayouts } from "../../../protocol/schema/layout.ts";
import { LINE_PARTS } from "../reads/written_texts.ts";
import { hashSql } from "../../../protocol/archive/catalog/fingerprints.ts";
import type { CatalogEntry, TextRange } from "../../../protocol/archive/catalog/manifest.ts";
import type { DescribedChunk } from "./write_manifest.ts";

/**
 * Of a chunk with more distinct texts in a column no fingerprints are taken: they would be a megabyte,
 * and it is opened for any text.
 */
const TEXTS_MAX = 200_000;

/** Longer texts say less than they take. */
const TEXT_LENGTH_MAX = 100;

const MEMORY_BYTES = 128e6;

/** What is known of a chunk before its columns are looked at. */
export interface ChunkFile {
  place: ChunkPlace;
  /** A file that has the columns at least, and `layout`; null: it has none of them. */
  path: string | null;
  /** Of the chunk. */
  columns: readonly Column[];
  rows: number;
  /** Infinite: not known. */
  firstUs: number;
  lastUs: number;
  bytes: number;
  etag: string;
  sha256: string | null;
}

/** Names of the columns that are read of a chunk. @param indexed in lower case */
export function columnsToRead(columns: readonly Column[], indexed: readonly string[]): Set<string> {
  const wanted = indexed.flatMap((name) => textColumn(columns, name) ?? []);
  if (wanted.length === 0) return new Set();
  const more = columns.map(({ name }) => name).filter((name) => LINE_PARTS.includes(name));
  return new Set([...wanted, ...areMade(columns, wanted) ? more : []]);
}

/** Whether some of these columns are a stream's own: texts may be written as their lines have them. */
function areMade(columns: readonly Column[], wanted: readonly string[]): boolean {
  return shapeOfColumns(columns).fields.some(({ name }) => wanted.includes(name));
}

/** As the chunk has it; null: it has none, or no texts in it. */
function textColumn(columns: readonly Column[], indexed: string): string | null {
  const found = columns.find(({ name }) => name.toLowerCase() === indexed);
  return found?.type === "VARCHAR" ? found.name : null;
}

/** A chunk that cannot be read: nobody knows what is in it, and who reads it gets to know. */
export function unreadChunk({ place, bytes, etag, sha256 }: {
  place: ChunkPlace;
  bytes: number;
  etag: string;
  sha256: string | null;
}): DescribedChunk {
  const { host, chunk, hour } = place;
  const entry = {
    ...{ hour: Number(hour.slice(11)), host, chunk, bytes, etag, sha256 },
    ...{ rows: null, firstUs: null, lastUs: null, texts: {} },
  };
  return { entry, hashes: new Map() };
}

/** Looks at chunks, some at once: to open an engine takes longer than a small chunk. */
export class ChunkDescriber implements AsyncDisposable {
  private readonly idle: Engine[] = [];

  /** Reads the columns. @param indexed in lower case @throws what DuckDB throws */
  async describe(file: ChunkFile, indexed: readonly string[]): Promise<DescribedChunk> {
    return await describeChunk(file, indexed, (look) => this.withEngine(look));
  }

  private async withEngine<T>(look: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = this.idle.pop() ?? await openEngine();
    try {
      const found = await look(engine);
      this.idle.push(engine);
      return found;
    } catch (error) {
      await engine[Symbol.asyncDispose](); // a damaged file may have broken it
      throw error;
    }
  }

  async [Symbol.asyncDispose]() {
    for (const engine of this.idle) await engine[Symbol.asyncDispose]();
  }
}

async function openEngine(): Promise<Engine> {
  const engine = await Engine.open({ memoryBytes: MEMORY_BYTES });
  await engine.run("SET enable_external_file_cache = false"); // each file is looked at once
  return engine;
}

type WithEngine = <T>(look: (engine: Engine) => Promise<T>) => Promise<T>;

async function describeChunk(
  file: ChunkFile,
  indexed: readonly string[],
  withEngine: WithEngine,
): Promise<DescribedChunk> {
  const { entry } = unreadChunk(file);
  const { path, columns, rows, firstUs, lastUs } = file;
  const hashes = new Map<string, Float64Array>();
  const texts: Record<string, TextRange | null> = {};
  for (const column of indexed) {
    const isThere = columns.some((one) => one.name.toLowerCase() === column);
    if (!isThere) hashes.set(column, new Float64Array());
  }
  const named = indexed.flatMap((column) => {
    const name = textColumn(columns, column);
    return name === null ? [] : [{ column, name }];
  });
  const looked = path === null || named.length === 0
    ? []
    : await withEngine((engine) => lookAtAll(engine, { ...file, path }, named));
  for (const { column, range, hashes: found } of looked) {
    texts[column] = range;
    if (found !== null) hashes.set(column, found);
  }
  const known: CatalogEntry = {
    ...entry,
    rows,
    firstUs: Number.isFinite(firstUs) ? firstUs : null,
    lastUs: Number.isFinite(lastUs) ? lastUs : null,
    texts,
  };
  return { entry: known, hashes };
}

async function lookAtAll(
  engine: Engine,
  { path, columns, place }: ChunkFile & { path: string },
  named: readonly { column: string; name: string }[],
) {
  const read = columnsToRead(columns, named.map(({ column }) => column));
  const expressions = LINE_PARTS.some((name) => read.has(name))
    ? await textsOf(engine, path, { columns, place })
    : {};
  const looked: ({ column: string } & Awaited<ReturnType<typeof lookAt>>)[] = [];
  for (const { column, name } of named) {
    looked.push({ column, ...await lookAt(engine, path, expressions[name] ?? identifier(name)) });
  }
  return looked;
}

/** Columns whose texts are made of what is stored. */
async function textsOf(
  engine: Engine,
  path: string,
  { columns, place }: { columns: readonly Column[]; place: ChunkPlace },
): Promise<Readonly<Record<string, string>>> {
  const shape = shapeOfColumns(columns);
  const written = numberLayouts(shape.fields.map(({ name }) => name));
  const layouts = [...await layoutsOfFile(engine, path), ...written];
  return schemaOf(place.stream, { ...shape, layouts }).texts;
}

async function lookAt(engine: Engine, path: string, expression: string) {
  const rows = `(SELECT ${expression} AS text
    FROM read_parquet(${literal(path)}, hive_partitioning = false)) WHERE text IS NOT NULL`;
  const edges = await engine.read(`SELECT min(text), max(text) FROM ${rows}`);
  const [min, max] = edges.rows[0] ?? [];
  const isShort = [min, max].every((text) =>
    typeof text === "string" && text.length <= TEXT_LENGTH_MAX
  );
  const hashed = await engine.read(
    `SELECT DISTINCT ${hashSql("text")} AS hash FROM ${rows} ORDER BY hash LIMIT ${TEXTS_MAX + 1}`,
  );
  return {
    range: isShort ? { min: String(min), max: String(max) } : null,
    hashes: hashed.rows.length > TEXTS_MAX
      ? null
      : Float64Array.from(hashed.rows, ([hash]) => Number(hash)),
  };
}
