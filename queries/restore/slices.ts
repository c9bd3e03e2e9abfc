/** In what portions a stream is restored: each fits one worker, however much there is. Pure. */

/** More text in one portion takes the worker more memory and spill space; less reads chunks twice. */
export const PORTION_BYTES_MAX = 128 * 2 ** 20;
/** Each slice is a line of SQL. */
const PORTION_SLICES_MAX = 500;

/** A stretch of one generation whose lines a file holds (those of its stream and hour). */
export interface Run {
  generation: string;
  start: number;
  end: number;
}

/** A file generation, in the order that it is restored in. */
export interface Source {
  id: string;
  /** Where it was last seen. */
  path: string;
  /** Bytes that have been read of it. */
  bytes: number;
}

/** A stretch of a generation, of the lines that begin in it. */
export interface Slice {
  source: Source;
  start: number;
  /** Exclusive; of a generation's last slice there is none. */
  end: number | null;
}

/** A file of the store and the stretches of generations that it may hold; null: anything. */
export interface RunFile {
  path: string;
  runs: readonly Run[] | null;
}

/** Slices that are restored at once, and the files that their lines are in. */
export interface Portion {
  slices: Slice[];
  files: string[];
}

/** Portions in order; those that no file holds are left out. */
export function* portionsOf(
  sources: readonly Source[],
  files: readonly RunFile[],
  bytesMax = PORTION_BYTES_MAX,
): Generator<Portion> {
  let slices: Slice[] = [];
  let bytes = 0;
  for (const slice of sources.flatMap((source) => slicesOf(source, bytesMax))) {
    if (!files.some((file) => holds(file, slice))) continue;
    const size = (slice.end ?? slice.source.bytes) - slice.start;
    if (slices.length > 0 && (bytes + size > bytesMax || slices.length === PORTION_SLICES_MAX)) {
      yield portion(slices, files);
      slices = [];
      bytes = 0;
    }
    slices.push(slice);
    bytes += size;
  }
  if (slices.length > 0) yield portion(slices, files);
}

function slicesOf(source: Source, bytesMax: number): Slice[] {
  const count = Math.max(1, Math.ceil(source.bytes / bytesMax));
  return Array.from({ length: count }, (_, i) => ({
    source,
    start: i * bytesMax,
    end: i === count - 1 ? null : (i + 1) * bytesMax,
  }));
}

function portion(slices: Slice[], files: readonly RunFile[]): Portion {
  const read = files.filter((file) => slices.some((slice) => holds(file, slice)));
  return { slices, files: read.map(({ path }) => path) };
}

function holds({ runs }: RunFile, { source, start, end }: Slice): boolean {
  return runs === null ||
    runs.some((run) =>
      run.generation === source.id && run.end > start && (end === null || run.start < end)
    );
}
