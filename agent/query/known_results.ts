/**
 * What a question that comes again need not read again: parts and chunks never change, so neither
 * does what a host makes of them.
 */
import type { SnapshotTable } from "../store/snapshot.ts";
import type { Shipped } from "./worker_protocol.ts";

/** Questions that are remembered, those asked last: each operator watches a few. */
const QUERIES_MAX = 8;
/** Of all that is remembered, as text. */
const BYTES_MAX = 16e6;
/** A question that was not asked for so long is forgotten. */
const KEPT_MS = 600_000;
/** Parts of so long a time are read together when it is over: each set travels as rows of its own. */
const BLOCK_MS = 300_000;
/** Parts of a block are there a while after its end. */
const BLOCK_GRACE_MS = 60_000;
/** More of them are more rows to send than it is worth. */
const SETS_MAX = 400;

/** Texts of one result. */
export type KnownRows = Extract<Shipped, { encoding: "text" }>;

/** Files whose results belong together. */
export interface FileSet {
  /** The same for the same files. */
  key: string;
  files: string[];
}

/** One question, and what is known of it by set. */
export interface KnownQuery {
  sets: Map<string, KnownRows>;
  askedMs: number;
  /** Its results are too long to be kept. */
  isHopeless: boolean;
}

export class KnownResults {
  private readonly queries = new Map<string, KnownQuery>();

  constructor(private readonly clock: () => number = Date.now) {}

  /** What is known of a question that was asked before; null at the first time. */
  ask(key: string): KnownQuery | null {
    const nowMs = this.clock();
    for (const [other, { askedMs }] of this.queries) {
      if (nowMs - askedMs > KEPT_MS) this.queries.delete(other);
    }
    const before = this.queries.get(key);
    const query = before ?? { sets: new Map(), askedMs: nowMs, isHopeless: false };
    query.askedMs = nowMs;
    this.queries.delete(key); // the one asked last stands last
    this.queries.set(key, query);
    while (this.queries.size > QUERIES_MAX || this.bytes() > BYTES_MAX) {
      const [oldest] = this.queries.keys();
      if (oldest === undefined || oldest === key) break;
      this.queries.delete(oldest);
    }
    return before ?? null;
  }

  /** Keeps what is known of these sets, and of no others. */
  keep(query: KnownQuery, sets: readonly (readonly [string, KnownRows])[]): void {
    query.sets = new Map(sets);
    if (this.bytes() > BYTES_MAX) this.giveUp(query);
  }

  /** It is read anew each time. */
  giveUp(query: KnownQuery): void {
    query.sets.clear();
    query.isHopeless = true;
  }

  /** Forgets everything: rows that it stands on were erased. */
  clear(): void {
    this.queries.clear();
  }

  private bytes(): number {
    return [...this.queries.values()].flatMap(({ sets }) => [...sets.values()])
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** The files of a table as sets that do not change, and the rest of them. */
export interface Sets {
  sets: FileSet[];
  /** Files at the ends of the range, and the newest rows. */
  rest: string[];
}

/**
 * Null: there are too many. @param range what the table is cut to, microseconds
 * @param nowMs by the wall clock, as parts have it
 */
export function setsOf(
  { files, stored = [] }: SnapshotTable,
  range: { sinceUs: number; untilUs: number },
  nowMs: number,
): Sets | null {
  const inside = stored.filter(({ tsMinUs, tsMaxUs }) =>
    tsMinUs >= range.sinceUs && tsMaxUs < range.untilUs
  );
  const blockOf = ({ kind, path, createdMs }: typeof inside[number]) => {
    const block = Math.floor(createdMs / BLOCK_MS);
    const isOver = nowMs >= (block + 1) * BLOCK_MS + BLOCK_GRACE_MS;
    return kind === "part" && isOver ? `block ${block}` : path;
  };
  const sets = [...Map.groupBy(inside, blockOf).values()].map((some): FileSet => {
    const paths = some.map(({ path }) => path);
    return { key: paths.toSorted().join(" "), files: paths };
  });
  if (sets.length > SETS_MAX) return null;
  const known = new Set(inside.map(({ path }) => path));
  return { sets, rest: files.filter((path) => !known.has(path)) };
}

/** Results over parts of the rows as one table. */
export function together(tables: readonly KnownRows[]): KnownRows | null {
  const [first] = tables;
  if (first === undefined) return null;
  const values = first.columns.map((_, i) => tables.flatMap((table) => table.values[i] ?? []));
  return {
    ...first,
    values,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
