/** How the log files that are there begin: by their first bytes and time they may be known elsewhere. */
import { IntegerColumn } from "../../queries/duckdb/typed_columns.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { ARRIVAL } from "../store/rows/rows.ts";
import { ACCESS_SHAPE } from "../../protocol/schema/stream_shape.ts";
import type { StreamConfig } from "../stream_config.ts";
import { BatchMaker } from "./batches.ts";
import { LineCutter } from "./blocks.ts";
import { openSource } from "./byte_source.ts";
import { discover } from "./discover.ts";
import { HEAD_BYTES } from "./identity.ts";
import { lineForm } from "./line_form.ts";

/** Of each file that much is read; a longer first line has no time. */
const START_BYTES = 65_536;

/** The files of a stream. */
export class Beginnings {
  /** First bytes of files, up to 1 KiB each. */
  private readonly heads: Uint8Array[] = [];
  /** Hashes of these, by how many bytes. */
  private readonly hashes = new Map<number, Set<string>>();
  /** Before that nothing was written to any of the files; infinite: there are none, or nobody knows. */
  sinceMs = Infinity;

  /** @param hasRecords whether several lines may be one row */
  constructor(readonly hasRecords: boolean) {}

  /** Whether a file begins with these bytes, which are so many. */
  has(sha256: string, bytes: number): boolean {
    const hashes = this.hashes.get(bytes) ?? new Set(
      this.heads.filter(({ length }) => length >= bytes)
        .map((head) => sha256Hex(head.subarray(0, bytes))),
    );
    this.hashes.set(bytes, hashes);
    return hashes.has(sha256);
  }

  /** @param sinceMs before that nothing was written to it */
  add(head: Uint8Array, sinceMs: number) {
    this.heads.push(head.slice(0, HEAD_BYTES));
    this.sinceMs = Math.min(this.sinceMs, sinceMs);
  }
}

/** Looks at the files of a stream. What cannot be read now is left out. */
export async function beginningsOf(
  stream: StreamConfig,
  signal: AbortSignal,
): Promise<Beginnings> {
  const beginnings = new Beginnings(stream.multiline !== undefined);
  const { files, packed } = await discover(stream.files, signal);
  for (const { path, size } of [...files, ...packed]) {
    signal.throwIfAborted();
    if (size === 0) continue;
    try {
      const source = await openSource(path);
      const start = await startOf(source.bytes(0, signal));
      const { birthtime, mtime } = source.info;
      const times = [birthtime, mtime].map((time) => time?.getTime() ?? Infinity);
      beginnings.add(start, Math.min(...times, firstTimeMs(stream, start)));
    } catch {
      signal.throwIfAborted(); // else it went meanwhile, or cannot be read: the tail says so
    }
  }
  return beginnings;
}

async function startOf(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array();
  for await (const chunk of bytes) {
    const joined = new Uint8Array(start.length + chunk.length);
    joined.set(start);
    joined.set(chunk, start.length);
    start = joined.subarray(0, START_BYTES);
    if (start.length === START_BYTES) break;
  }
  return start;
}

/**
 * The time of the first line that has one. Without any it may be of any time: a copy has times of its
 * own.
 */
function firstTimeMs(stream: StreamConfig, start: Uint8Array): number {
  const form = lineForm(stream, ACCESS_SHAPE, null);
  const maker = new BatchMaker("", form, Date.now);
  const cut = new LineCutter(0, form.records).cut(start, true);
  if (cut.kind !== "lines") return -Infinity;
  for (const { rows } of maker.batches({ cut, window: start, before: new Uint8Array() })) {
    const { ts, [ARRIVAL]: arrival } = rows.columns;
    const hasTime = (row: number) =>
      !(arrival instanceof IntegerColumn && arrival.value(row) === 1);
    for (let row = 0; row < rows.count; row++) {
      if (hasTime(row)) return ts.number(row) / 1_000;
    }
  }
  return -Infinity;
}
