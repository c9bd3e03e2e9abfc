/** How the log files that are there begin: by that they may be known elsewhere. */
import { sha256Hex } from "../../protocol/sha256.ts";
import type { StreamConfig } from "../stream_config.ts";
import { openSource } from "./byte_source.ts";
import { discover } from "./discover.ts";
import { headOf } from "./survey.ts";

/** The files of a stream. */
export class Beginnings {
  /** First bytes of files, up to 1 KiB each. */
  private readonly heads: Uint8Array[] = [];
  /** Hashes of these, by how many bytes. */
  private readonly hashes = new Map<number, Set<string>>();

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

  get isEmpty(): boolean {
    return this.heads.length === 0;
  }

  add(head: Uint8Array) {
    this.heads.push(head.slice()); // no part of what else was read
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
      beginnings.add(await headOf(await openSource(path)));
    } catch {
      signal.throwIfAborted(); // else it went meanwhile, or cannot be read: the tail says so
    }
  }
  return beginnings;
}
