/** What the store takes of its host, from the two numbers that an operator sets. */

/** Bounds of memory, and the niceness of the store's processes. */
export interface StoreLimits {
  /**
   * Rows, in those of access logs, and bytes of log lines that memory holds before they are written:
   * parts are no larger.
   */
  rowsMax: number;
  lineBytesMax: number;
  /** Niceness of the processes that seal; 0 is that of the agent itself. */
  nice: number;
}

/** The program, DuckDB, batches under way, queries: measured at 20,000 lines/s and all it can take. */
const FIXED_BYTES = 220e6;
/** What a row of an access log costs in memory, its copy while it is written included. */
const ROW_BYTES = 1_000;
/** Long lines: a byte of them costs as much as three. */
const LINE_BYTE_COST = 3;

/** Positions in what rows stand on are numbers of 31 bits, and a line may stand there three times. */
const LINE_BYTES_MAX = 2 ** 29;

/** Bounds that keep the agent's resident memory under `memory` bytes. */
export function storeLimits({ memory, nice }: { memory: number; nice: number }): StoreLimits {
  const forRows = memory - FIXED_BYTES;
  return {
    rowsMax: Math.floor(forRows / ROW_BYTES),
    lineBytesMax: Math.min(LINE_BYTES_MAX, Math.floor(forRows / LINE_BYTE_COST)),
    nice,
  };
}

/**
 * Of an import. What is written at once becomes a row group of a chunk: fewer rows take more room
 * (130,000: 0.06 of a log, 350,000: 0.051), more of them more memory: these take 560 MB, and 700 MB
 * where lines are kept whole.
 */
export function bulkLimits(nice: number): StoreLimits {
  return { rowsMax: 350_000, lineBytesMax: 85e6, nice };
}

/** Of stores that no configuration speaks of. */
export const DEFAULT_LIMITS: StoreLimits = storeLimits({ memory: 250e6, nice: 0 });
