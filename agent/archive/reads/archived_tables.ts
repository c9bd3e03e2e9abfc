/** Archived chunks as the files that a query reads: of each only what can matter is fetched. */
import type { ArchiveUse, Column } from "../../../protocol/wire/messages.ts";
import { EMPTY_SHAPE, uniteShapes } from "../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { numberLayouts } from "../../../protocol/schema/layout.ts";
import { schemaOf } from "../../../protocol/schema/streams.ts";
import { physicalNames } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { layoutsOfFile, shapeOfColumns } from "../../../queries/restore/file_shape.ts";
import type {
  ArchivedFiles,
  SnapshotTable,
  TableNeeds,
  UnreadChunk,
} from "../../store/snapshot.ts";
import { microseconds } from "../../store/files/stored_snapshot.ts";
import type { CachedObject, ChunkCache, LentChunk } from "./chunk_cache.ts";
import { ownFault } from "../../../queries/chunk/chunk_error.ts";
import type { RowGroup } from "../../../queries/chunk/footer.ts";
import { Slots } from "./slots.ts";
import { shorterColumns, writtenColumns } from "./written_texts.ts";

/** Chunks that are fetched at once. */
const CHUNKS_AT_ONCE = 6;

/** Columns that no line is made of. */
const POSITIONS = ["generation", "line_offset", "line_length"];

export interface ArchivedTable {
  table: SnapshotTable;
  use: ArchiveUse;
  /** Chunks that could not be read. */
  unread: UnreadChunk[];
  release(): void;
}

export interface TableRequest {
  cache: ChunkCache;
  name: string;
  chunks: readonly CachedObject[];
  /** Half-open, ISO 8601; null is unbounded. */
  since: string | null;
  until: string | null;
  needs: TableNeeds;
  /** Called after each chunk. */
  onChunk?: (() => void) | undefined;
}

/**
 * Fetches what is missing. A chunk whose own fault it is stays out; of others everything or nothing
 * stays lent.
 * @throws {LogvendError}
 */
export async function lendTable(request: TableRequest): Promise<ArchivedTable> {
  const { cache, name, chunks, needs, onChunk } = request;
  const { sinceUs, untilUs } = microseconds(request);
  const want = { sinceUs, untilUs, values: needs.values };
  const slots = new Slots(CHUNKS_AT_ONCE);
  const shorter = new Set<string>();
  await using looking = new Looking();
  const settled = await Promise.allSettled(chunks.map((chunk) =>
    slots.run(async () => {
      const lend = (more: readonly string[]) =>
        cache.lend(chunk, want, (columns, groups) => {
          const isWhole = liesWithin(groups, want);
          if (isWhole && needs.countsOnly) return new Set();
          return physicalColumns(name, columns, { logical: needs.columns, isWhole, more });
        });
      const lent = await withLines(await lend([]), needs, { lend, shorter, looking });
      onChunk?.();
      return lent;
    })
  ));
  const lent = settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  const release = () => lent.forEach((chunk) => chunk.release());
  try {
    const unread = settled.flatMap((one, i) => {
      if (one.status === "fulfilled") return [];
      const [key, reason] = [chunks[i]?.key ?? "", ownFault(one.reason)];
      if (reason === null) throw one.reason;
      return { key, reason };
    });
    const table = tableOf(lent, { ...want, countsOnly: needs.countsOnly });
    if (table.shape !== undefined && lent.some(({ wanted }) => wanted.has("layout"))) {
      const { layouts, ...shape } = await withLayouts(table.shape, table, looking);
      table.shape = { ...shape, layouts: [...layouts, ...numberLayouts([...shorter])] };
    }
    return { table, use: useOf(lent), unread, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Looks into fetched files, one after the other, with one engine: another takes 10 ms to open. */
class Looking implements AsyncDisposable {
  private readonly turns = new Slots(1);
  private engine: Engine | null = null;

  /** A damaged file has nothing to find; the query that reads it says so. */
  async look(find: (engine: Engine) => Promise<string[]>): Promise<string[]> {
    return await this.turns.run(async () => {
      this.engine ??= await Engine.open();
      return await find(this.engine).catch(() => []);
    });
  }

  async [Symbol.asyncDispose]() {
    await this.engine?.[Symbol.asyncDispose]();
  }
}

interface Lending {
  /** Lends it anew, with these columns too. */
  lend(more: readonly string[]): Promise<LentChunk>;
  /** Columns of the table, to which those of the chunk are added. */
  shorter: Set<string>;
  looking: Looking;
}

/** The same chunk, with its lines where numbers in them read otherwise than they are stored. */
async function withLines(
  lent: LentChunk,
  { columns }: TableNeeds,
  { lend, shorter, looking }: Lending,
): Promise<LentChunk> {
  const written = writtenColumns(lent.columns, columns).filter((name) => lent.wanted.has(name));
  const { path } = lent;
  if (path === null || written.length === 0) return lent;
  const found = await looking.look((engine) => shorterColumns(engine, path, written));
  for (const name of found) shorter.add(name);
  if (found.length === 0 || lent.wanted.has("line_text")) return lent;
  lent.release();
  const { fetched: { requests, bytes } } = lent;
  const whole = await lend(["line_text"]);
  whole.fetched.requests += requests;
  whole.fetched.bytes += bytes;
  return whole;
}

interface Times {
  sinceUs: number;
  untilUs: number;
}

function liesWithin(groups: readonly RowGroup[], { sinceUs, untilUs }: Times): boolean {
  return groups.every(({ firstUs, lastUs }) => firstUs >= sinceUs && lastUs < untilUs);
}

interface Reading {
  /** Columns as SQL sees them. */
  logical: readonly Column[];
  /** Whether all rows are in the range. */
  isWhole: boolean;
  /** Physical columns that are read too. */
  more: readonly string[];
}

/** Of those that a chunk has. One at least, so that rows count. */
function physicalColumns(
  table: string,
  columns: readonly Column[],
  { logical, isWhole, more }: Reading,
): Set<string> {
  const schema = schemaOf(table, shapeOfColumns(columns));
  const needed = physicalNames(schema, logical.filter((column) => !isLine(column)));
  const layout = writtenColumns(columns, logical).length > 0 ? ["layout"] : [];
  for (const name of [...more, ...layout]) needed.add(name);
  const isNeeded = ({ name }: Column) =>
    needed.has(name) || (!isWhole && name === "ts") ||
    (logical.some(isLine) && !POSITIONS.includes(name));
  const found = columns.filter(isNeeded);
  return new Set((found.length > 0 ? found : columns.slice(0, 1)).map(({ name }) => name));
}

function isLine({ name }: Column): boolean {
  return name === "line" || name === "line_bytes";
}

function tableOf(
  lent: readonly LentChunk[],
  { sinceUs, untilUs, countsOnly }: Times & { countsOnly: boolean },
): SnapshotTable {
  const isWhole = ({ firstUs, lastUs }: LentChunk) => firstUs >= sinceUs && lastUs < untilUs;
  const counted = lent.filter(({ path, rows }) => countsOnly && path === null && rows > 0);
  const read = lent.filter(({ path }) => path !== null);
  const shapes = read.map(({ columns }) => shapeOfColumns(columns));
  return {
    files: [],
    archived: groupsOf(read, isWhole),
    rows: [...read, ...counted].reduce((sum, { rows }) => sum + rows, 0),
    bytes: lent.reduce((sum, { fetched }) => sum + fetched.bytes, 0),
    ...(shapes.length === 0 ? {} : { shape: shapes.reduce(uniteShapes, EMPTY_SHAPE) }),
    ...(counted.length === 0 ? {} : {
      counted: {
        rows: counted.reduce((sum, { rows }) => sum + rows, 0),
        firstUs: Math.min(...counted.map(({ firstUs }) => firstUs)),
        lastUs: Math.max(...counted.map(({ lastUs }) => lastUs)),
      },
    }),
  };
}

/** Chunks of which the same columns were fetched, and of which all rows are in the range or not. */
function groupsOf(
  lent: readonly LentChunk[],
  isWhole: (chunk: LentChunk) => boolean,
): ArchivedFiles[] {
  const alike = (chunk: LentChunk) => [isWhole(chunk), ...[...chunk.wanted].sort()].join();
  return [...Map.groupBy(lent, alike).values()].map((chunks) => ({
    files: chunks.flatMap(({ path, key, rows, discard }) =>
      path === null ? [] : { path, key, rows, discard }
    ),
    columns: [...chunks[0]?.wanted ?? []],
    isWhole: chunks.every(isWhole),
  }));
}

/** Footers do not say how lines are made up; the column that does has been fetched. */
async function withLayouts(
  shape: StreamShape,
  table: SnapshotTable,
  looking: Looking,
): Promise<StreamShape> {
  const layouts = new Set<string>();
  for (const { path } of table.archived?.flatMap(({ files }) => files) ?? []) {
    const found = await looking.look((engine) => layoutsOfFile(engine, path));
    for (const layout of found) layouts.add(layout);
  }
  return { ...shape, layouts: [...layouts] };
}

function useOf(lent: readonly LentChunk[]): ArchiveUse {
  return {
    chunks: lent.length,
    requests: lent.reduce((sum, { fetched }) => sum + fetched.requests, 0),
    bytes: lent.reduce((sum, { fetched }) => sum + fetched.bytes, 0),
  };
}
