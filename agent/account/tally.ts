/** Counts what becomes of the lines of batches, by file generation and hour, until a flush. */
import { hourOf } from "../../protocol/chunk/chunk_path.ts";
import { IntegerColumn } from "../../queries/duckdb/typed_columns.ts";
import { ARRIVAL } from "../store/rows/rows.ts";
import type { Batch } from "../store/batch.ts";

/**
 * What a line became: a row, a reject, dropped by a rule; or what it was first has been erased. `uncounted` are rows of which nobody knows
 * whose they are: an older version stored them, or they were found without their agent.db.
 */
export type Outcome = "stored" | "rejected" | "dropped" | "uncounted" | "erased";

/** Lines of one generation and hour that became the same. */
export interface Count {
  stream: string;
  /** Empty when uncounted. */
  generation: string;
  /** UTC hour of the events, `2026-11-22T19`. */
  hour: string;
  outcome: Outcome;
  /** Why rejected, the rule that dropped it, the erasure, or "no_time": stored with that of its arrival. */
  reason: string;
  lines: number;
  /** Of the whole lines with their ends, as they lay in the file. */
  bytes: number;
}

/** Lines of one hour; one, if not said. */
type Counted = Pick<Count, "outcome" | "reason" | "bytes"> & { ts: number; lines?: number };

const HOUR_US = 3_600_000_000;

/** Counts that wait in memory beside the rows, and become durable with them. */
export class Tally {
  private readonly counts = new Map<string, Count>();

  /** Counts every line of a batch. */
  add(stream: string, { generation, rows, rejects, dropped }: Batch) {
    const hourAt = hourFinder();
    const count = ({ ts, lines = 1, bytes, outcome, reason }: Counted) => {
      const hour = hourAt(ts);
      const key = `${generation} ${hour} ${outcome} ${reason}`;
      const known = this.counts.get(key);
      if (known === undefined) {
        this.counts.set(key, { stream, generation, hour, outcome, reason, lines, bytes });
        return;
      }
      known.lines += lines;
      known.bytes += bytes;
    };
    const { ts: times, line_length: lengths, [ARRIVAL]: arrival } = rows.columns;
    const isArrival = (row: number) => arrival instanceof IntegerColumn && arrival.value(row) === 1;
    for (let row = 0; row < rows.count;) {
      const ts = times.number(row);
      const hour = hourAt(ts);
      const first = row;
      const timeless = isArrival(row);
      let bytes = 0;
      // Lines in a row of one hour are counted at once: there are as many as the host can write.
      for (
        ;
        row < rows.count && hourAt(times.number(row)) === hour && isArrival(row) === timeless;
        row++
      ) {
        bytes += lengths.values[row] ?? 0;
      }
      count({
        ts,
        lines: row - first,
        bytes,
        outcome: "stored",
        reason: timeless ? "no_time" : "",
      });
    }
    for (const { ts, length, reason } of rejects) {
      count({ ts: Number(ts), bytes: length, outcome: "rejected", reason });
    }
    for (const [i, ts] of dropped.ts.entries()) {
      const bytes = dropped.line_length[i] ?? 0;
      count({ ts: Number(ts), bytes, outcome: "dropped", reason: dropped.rule[i] ?? "" });
    }
  }

  /** Copies of all that waits. */
  entries(): Count[] {
    return [...this.counts.values()].map((count) => ({ ...count }));
  }

  /** Forgets everything: it has become durable. */
  clear() {
    this.counts.clear();
  }
}

/** Names the hours of microseconds since 1970; neighbouring lines mostly share theirs. */
function hourFinder(): (tsUs: number) => string {
  let index = NaN;
  let hour = "";
  return (tsUs) => {
    const found = Math.floor(tsUs / HOUR_US);
    if (found !== index) hour = hourOf(found * HOUR_US / 1_000);
    index = found;
    return hour;
  };
}
