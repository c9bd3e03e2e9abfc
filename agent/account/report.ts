/** The account of a host: what was read, what became of it, and whether that adds up. */
import { counted } from "../../protocol/units.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import type { Gap, Generation } from "../store/batch.ts";
import type { Origin, StoredFile } from "../store/database/catalog.ts";
import type { RemovedTotal } from "../store/database/removed.ts";
import type { Count, Outcome } from "./tally.ts";

/** Lines and their bytes. */
export interface Amount {
  lines: number;
  bytes: number;
}

/** One hour of one file generation. */
export interface AccountEntry {
  stream: string;
  /** Where the file was last seen; null for rows of before anybody counted. */
  file: string | null;
  generation: string | null;
  /** UTC, `2026-11-22T19`. */
  hour: string;
  read: Amount;
  stored: Amount;
  /** By reason. */
  rejected: Record<string, Amount>;
  /** By rule. */
  dropped: Record<string, Amount>;
  /** By erasure. */
  erased: Record<string, Amount>;
}

/** All of a stream, whenever it was read. */
export interface StreamAccount {
  stream: string;
  /** What the reader says: up to where its files have been read, and how many lines that were. */
  read: Amount;
  stored: Amount;
  rejected: Amount;
  dropped: Amount;
  erased: Amount;
  /** Rows in parts and chunks. */
  rows: number;
  parts: number;
  chunks: number;
  /** Rows of before anybody counted; they are no part of what was read. */
  uncounted: number;
  /** Rows that the operator's limits have removed. */
  removed: number;
  /** Rows of files that were found damaged, or not found. */
  lost: number;
}

/** What `account` prints. */
export interface AccountReport {
  entries: AccountEntry[];
  streams: StreamAccount[];
  /** What does not add up, in sentences; none: everything does. */
  differences: string[];
  /** What was destroyed before it was read. */
  gaps: Gap[];
}

/** What agent.db says, of one moment. */
export interface Books {
  generations: readonly Generation[];
  origins: ReadonlyMap<string, Origin>;
  counts: readonly Count[];
  files: readonly StoredFile[];
  gaps: readonly Gap[];
  removed: readonly RemovedTotal[];
}

/** Draws the books up. `isShown`: the hours that entries are wanted of; sums are of all. */
export function accountReport(
  books: Books,
  streams: readonly string[],
  isShown: (hour: string) => boolean,
): AccountReport {
  const accounts = streams.map((stream) => streamAccount(books, stream));
  return {
    entries: entriesOf(books, streams, isShown),
    streams: accounts,
    differences: [
      ...generationDifferences(books, streams),
      ...accounts.flatMap(({ stream, stored, uncounted }) =>
        rowDifferences(books, stream, stored.lines + uncounted)
      ),
      ...rowDifferences(books, REJECTS, rejectsOf(books)),
    ],
    gaps: books.gaps.filter(({ stream }) => streams.includes(stream)),
  };
}

function entriesOf(
  { generations, counts }: Books,
  streams: readonly string[],
  isShown: (hour: string) => boolean,
): AccountEntry[] {
  const order = new Map(generations.map(({ id, path }, i) => [id, { path, i }]));
  const shown = counts.filter(({ stream, hour }) => streams.includes(stream) && isShown(hour));
  const groups = Map.groupBy(
    shown,
    ({ stream, generation, hour }) => `${stream} ${generation} ${hour}`,
  );
  return [...groups.values()].map((group): AccountEntry => {
    const { stream = "", generation = "", hour = "" } = group[0] ?? {};
    return {
      stream,
      file: order.get(generation)?.path ?? null,
      generation: generation === "" ? null : generation,
      hour,
      read: total(group.filter(({ outcome }) => outcome !== "uncounted")),
      stored: total(group.filter(is("stored"))),
      rejected: byReason(group.filter(is("rejected"))),
      dropped: byReason(group.filter(is("dropped"))),
      erased: byReason(group.filter(is("erased"))),
    };
  }).sort((a, b) =>
    streams.indexOf(a.stream) - streams.indexOf(b.stream) ||
    compare(a.file ?? "", b.file ?? "") ||
    (order.get(a.generation ?? "")?.i ?? 0) - (order.get(b.generation ?? "")?.i ?? 0) ||
    compare(a.hour, b.hour)
  );
}

function streamAccount(books: Books, stream: string): StreamAccount {
  const { generations, origins, counts, files } = books;
  const mine = counts.filter((count) => count.stream === stream);
  const stored = files.filter((file) => file.stream === stream);
  return {
    stream,
    read: total(generations.filter((g) => g.stream === stream).map((g) => readOf(g, origins))),
    stored: total(mine.filter(is("stored"))),
    rejected: total(mine.filter(is("rejected"))),
    dropped: total(mine.filter(is("dropped"))),
    erased: total(mine.filter(is("erased"))),
    rows: stored.reduce((sum, { rows }) => sum + rows, 0),
    parts: stored.filter(({ kind }) => kind === "part").length,
    chunks: stored.filter(({ kind }) => kind === "chunk").length,
    uncounted: total(mine.filter(is("uncounted"))).lines,
    ...removedRows(books, stream),
  };
}

/** What was read of each generation, against what was counted of it. */
function generationDifferences(
  { generations, origins, counts }: Books,
  streams: readonly string[],
): string[] {
  const byGeneration = Map.groupBy(counts, ({ generation }) => generation);
  return generations.filter(({ stream }) => streams.includes(stream)).flatMap((generation) => {
    const read = readOf(generation, origins);
    const known = total(byGeneration.get(generation.id) ?? []);
    if (read.lines === known.lines && read.bytes === known.bytes) return [];
    return [
      `${generation.path} (${generation.id}): ${amountText(read)} read, but ` +
      `${amountText(known)} stored, rejected, dropped or erased`,
    ];
  });
}

/** The rows of a table, or its rejects, that files hold, against those that once became durable. */
function rowDifferences(books: Books, table: string, expected: number): string[] {
  const rows = books.files.filter(({ stream }) => stream === table)
    .reduce((sum, file) => sum + file.rows, 0);
  const { removed, lost } = removedRows(books, table);
  const left = expected - removed - lost;
  return [
    ...(rows === left
      ? []
      : [`${table}: parts and chunks should hold ${counted(left, "row")}, but hold ${rows}`]),
    ...(lost === 0 ? [] : [`${table}: ${counted(lost, "row")} lost with damaged files`]),
  ];
}

/** Rejects of all streams lie in one table. */
function rejectsOf({ counts }: Books): number {
  const old = counts.filter((count) => count.stream === REJECTS && is("uncounted")(count));
  return total([...counts.filter(is("rejected")), ...old]).lines;
}

/** Files of writes that never ended were never part of the store. */
function removedRows({ removed }: Books, table: string): { removed: number; lost: number } {
  const rowsOf = (...reasons: RemovedTotal["reason"][]) =>
    removed.filter(({ stream, reason }) => stream === table && reasons.includes(reason))
      .reduce((sum, { rows }) => sum + rows, 0);
  return { removed: rowsOf("retention", "quota"), lost: rowsOf("corrupt", "missing") };
}

function readOf({ id, offset, lines }: Generation, origins: Books["origins"]): Amount {
  return { lines, bytes: offset - (origins.get(id)?.startOffset ?? 0) };
}

function is(wanted: Outcome) {
  return ({ outcome }: Count) => outcome === wanted;
}

function byReason(counts: readonly Count[]): Record<string, Amount> {
  return Object.fromEntries(
    counts.map(({ reason, lines, bytes }) => [reason, { lines, bytes }]),
  );
}

/** The sum of amounts. */
export function total(amounts: readonly Amount[]): Amount {
  return {
    lines: amounts.reduce((sum, { lines }) => sum + lines, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function amountText({ lines, bytes }: Amount): string {
  return `${counted(lines, "line")} (${bytes} B)`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
