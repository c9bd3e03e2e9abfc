/**
 * Files that agent.db does not name: which of them belong to the store? Pure.
 *
 * A kill leaves some behind: parts of a flush or a chunk that were renamed and not committed, files
 * that a sealing or retention has replaced and not yet deleted. Others are ahead of agent.db: it was
 * lost, or an old copy was put in its place. What a file says of itself tells them apart:
 *
 * 1. A chunk is there because its parts had been committed. If all of them are still named and
 *    there, its sealing is done again and it is redundant. Else it is adopted, in place of the parts
 *    of its hour that lie within its runs. One that was written anew since, without rows that were
 *    erased, is redundant whatever agent.db says: what was erased does not come back.
 * 2. A part within the runs of a chunk of its hour is redundant: it was sealed.
 * 3. A part that begins before the durable offset of one of its generations is redundant: agent.db
 *    knows what became of these lines.
 * 4. Otherwise the flush that wrote it came after agent.db. It was committed if somebody went on
 *    from there: a chunk that knows an offset as late as one of its ends, or a flush that begins
 *    there or later. The newest flush of a generation was written whole if as many parts are there
 *    as it says; adopting it then is right whether it was committed or not, for offsets are adopted
 *    with rows. A flush that failed is written again with all that it held: of flushes that overlap
 *    the longest is taken, and of two as long the later one, which agent.db or a copy of it names.
 * 5. The parts of a flush are adopted all or none. Of one that was not written whole they are
 *    redundant: its lines are read again. Without any agent.db they are set aside instead, for then
 *    the flush may have been whole once.
 * 6. Of files with one id, that somebody has copied into other folders, one is looked at. A chunk whose
 *    rows are in another one, from which rows were erased, is redundant in whatever folder it lies.
 */
import { originOf, supersededKeys } from "../../../protocol/chunk/chunk_id.ts";
import type { Run, StoredFile } from "../database/catalog.ts";
import type { FileMetadata } from "../files/file_metadata.ts";

/** A file that agent.db does not name. */
export interface FoundFile {
  metadata: FileMetadata;
  /** Relative to the data folder. */
  path: string;
  bytes: number;
}

/** What agent.db says. */
export interface KnownStore {
  /** Files that it names, and that are there or not. */
  files: readonly StoredFile[];
  /** Of the named files those that are there, by path. */
  present: ReadonlySet<string>;
  /** Durable offset by generation. */
  offsets: ReadonlyMap<string, number>;
  /** There was no agent.db. */
  isNew: boolean;
}

/** What is to be done with each file. */
export interface Reconciled {
  adopted: FoundFile[];
  /** Named files whose rows an adopted chunk holds. */
  replaced: StoredFile[];
  /** Nothing is lost with them. */
  redundant: FoundFile[];
  /** Not to be read, nor to be deleted. */
  doubtful: FoundFile[];
}

/** Decides. */
export function reconcile(all: readonly FoundFile[], known: KnownStore): Reconciled {
  const { found, copies, strangers } = ofOneId(all);
  const chunks = decideChunks(found.filter(({ metadata }) => metadata.kind === "chunk"), known);
  const allChunks = [
    ...known.files.filter(({ kind, path }) => kind === "chunk" && known.present.has(path)),
    ...chunks.adopted.map(({ metadata }) => metadata),
  ];
  const parts = decideParts(
    found.filter(({ metadata }) => metadata.kind === "part"),
    Map.groupBy(allChunks, hourKey),
    { ...known, claimed: claims(chunks.adopted, known.offsets) },
  );
  return {
    adopted: [...chunks.adopted, ...parts.adopted],
    replaced: chunks.replaced,
    redundant: [...chunks.redundant, ...parts.redundant, ...copies],
    doubtful: [...chunks.doubtful, ...parts.doubtful, ...strangers],
  };
}

/** Of each id the file that lies where it says, its copies, and what is none of it but has its id. */
function ofOneId(all: readonly FoundFile[]) {
  const first = new Map<string, FoundFile>();
  const copies: FoundFile[] = [];
  const strangers: FoundFile[] = [];
  const byPath = all.toSorted((a, b) => a.path < b.path ? -1 : 1);
  const [placed = [], elsewhere = []] = [true, false].map((isPlaced) =>
    byPath.filter((file) => isWhereItSays(file) === isPlaced)
  );
  for (const file of [...placed, ...elsewhere]) {
    const { id, rows, runs, kind, stream, hour } = file.metadata;
    const other = first.get(id)?.metadata;
    if (other === undefined) first.set(id, file);
    else {
      const isCopy = hourKey(other) === hourKey({ stream, hour }) && other.kind === kind &&
        other.rows === rows && covers(other.runs, runs);
      (isCopy ? copies : strangers).push(file);
    }
  }
  return { found: [...first.values()], copies, strangers };
}

function isWhereItSays({ path, metadata: { kind, stream, hour } }: FoundFile): boolean {
  if (kind === "part") return path.includes(`/${stream}/${hour}.`);
  const [date, ofDay] = hour.split("T");
  return path.startsWith(`stream=${stream}/`) && path.includes(`/date=${date}/hour=${ofDay}/`);
}

function decideChunks(found: readonly FoundFile[], known: KnownStore): Reconciled {
  const byHour = Map.groupBy(known.files, hourKey);
  const decided: Reconciled = { adopted: [], replaced: [], redundant: [], doubtful: [] };
  const superseded = supersededKeys([...known.files, ...found].map(({ path }) => path));
  for (const chunk of found.toSorted((a, b) => a.metadata.id < b.metadata.id ? 1 : -1)) {
    const { runs } = chunk.metadata;
    if (superseded.has(chunk.path) || isErasedFrom(chunk, decided.adopted)) {
      decided.redundant.push(chunk);
      continue;
    }
    const ofHour = (byHour.get(hourKey(chunk.metadata)) ?? [])
      .filter((file) => overlaps(file.runs, runs));
    const isThere = ofHour.every(({ path }) => known.present.has(path));
    if (isThere && covers(ofHour.flatMap((file) => file.runs), runs)) decided.redundant.push(chunk);
    else if (!ofHour.every((file) => covers(runs, file.runs))) decided.doubtful.push(chunk);
    else {
      decided.adopted.push(chunk);
      decided.replaced.push(...ofHour);
    }
  }
  return decided;
}

/** Whether one of these is the chunk without some of its rows. */
function isErasedFrom({ metadata: { id } }: FoundFile, adopted: readonly FoundFile[]): boolean {
  return adopted.some(({ metadata }) => originOf(metadata.id) === originOf(id));
}

interface KnownOffsets extends KnownStore {
  /** How far generations were durable by anybody's word. */
  claimed: ReadonlyMap<string, number>;
}

/** Stands for the flushes of parts that an older version wrote: it did not say which is whose. */
const OLD = "";

function decideParts(
  found: readonly FoundFile[],
  chunks: ReadonlyMap<string, Pick<StoredFile, "runs">[]>,
  known: KnownOffsets,
): Omit<Reconciled, "replaced"> {
  const decided: Omit<Reconciled, "replaced"> = { adopted: [], redundant: [], doubtful: [] };
  const newer: FoundFile[] = [];
  for (const part of found) {
    const { runs } = part.metadata;
    const isSealed = chunks.get(hourKey(part.metadata))?.some((chunk) => covers(chunk.runs, runs));
    const isOld = runs.some(({ generation, start }) =>
      start < (known.offsets.get(generation) ?? 0)
    );
    (isSealed === true || isOld ? decided.redundant : newer).push(part);
  }
  const flushes = [
    ...Map.groupBy(newer, ({ metadata }) => metadata.flush?.id ?? OLD).values(),
  ].map((parts) => ({ parts, runs: runsOf(parts) }));
  const newest = newestStarts(flushes);
  const isSure = ({ runs }: Flush) =>
    runs.some(({ generation, end }) =>
      end <= (known.claimed.get(generation) ?? 0) || end <= (newest.get(generation) ?? 0)
    );
  const taken: Run[] = [];
  for (const flush of flushes.sort(longestFirst)) {
    const isAdopted = (isSure(flush) || isWhole(flush, known)) && !overlaps(taken, flush.runs);
    if (isAdopted) taken.push(...flush.runs);
    const place = isAdopted ? decided.adopted : known.isNew ? decided.doubtful : decided.redundant;
    place.push(...flush.parts);
  }
  return decided;
}

/** The parts of one flush that are there, and the merged runs of all that it wrote. */
interface Flush {
  parts: FoundFile[];
  runs: Run[];
}

function runsOf(parts: readonly FoundFile[]): Run[] {
  return parts[0]?.metadata.flush?.runs ??
    mergeRuns(parts.flatMap(({ metadata }) => metadata.runs));
}

/** Of two that hold the same lines the one of more parts is first, else the later one. */
function longestFirst(a: Flush, b: Flush): number {
  return lengthOf(b) - lengthOf(a) || b.parts.length - a.parts.length ||
    createdMs(b) - createdMs(a);
}

function createdMs({ parts }: Flush): number {
  return Math.max(...parts.map(({ metadata }) => metadata.createdMs));
}

function lengthOf({ runs }: Flush): number {
  return runs.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** How many parts an older version wrote is not known: without agent.db they are believed. */
function isWhole({ parts }: Flush, { isNew }: KnownStore): boolean {
  const flush = parts[0]?.metadata.flush ?? null;
  return flush === null ? isNew : parts.length === flush.parts;
}

/** Where the newest flush of each generation begins. */
function newestStarts(flushes: readonly Flush[]): Map<string, number> {
  const starts = new Map<string, number>();
  for (const { runs } of flushes) {
    const first = new Map(runs.toReversed().map(({ generation, start }) => [generation, start]));
    for (const [generation, start] of first) {
      starts.set(generation, Math.max(start, starts.get(generation) ?? 0));
    }
  }
  return starts;
}

function claims(
  chunks: readonly FoundFile[],
  offsets: ReadonlyMap<string, number>,
): Map<string, number> {
  const claimed = new Map(offsets);
  for (const { id, offset } of chunks.flatMap(({ metadata }) => metadata.generations)) {
    claimed.set(id, Math.max(offset, claimed.get(id) ?? 0));
  }
  return claimed;
}

/** Runs sorted, neighbours joined. */
export function mergeRuns(runs: readonly Run[]): Run[] {
  const sorted = runs.toSorted((a, b) =>
    a.generation < b.generation ? -1 : a.generation > b.generation ? 1 : a.start - b.start
  );
  const merged: Run[] = [];
  for (const run of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && last.generation === run.generation && last.end >= run.start) {
      last.end = Math.max(last.end, run.end);
    } else {
      merged.push({ ...run });
    }
  }
  return merged;
}

/** Whether every one of `runs` lies within `outer`. */
function covers(outer: readonly Run[], runs: readonly Run[]): boolean {
  const byGeneration = Map.groupBy(mergeRuns(outer), ({ generation }) => generation);
  return runs.every(({ generation, start, end }) =>
    byGeneration.get(generation)?.some((run) => run.start <= start && end <= run.end) === true
  );
}

function overlaps(some: readonly Run[], runs: readonly Run[]): boolean {
  const byGeneration = Map.groupBy(some, ({ generation }) => generation);
  return runs.some(({ generation, start, end }) =>
    byGeneration.get(generation)?.some((run) => run.start < end && start < run.end) === true
  );
}

function hourKey({ stream, hour }: { stream: string; hour: string }): string {
  return `${stream}/${hour}`;
}
