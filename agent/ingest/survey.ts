/** Looks through whole files, unpacked, to tell which generation they are. */
import { createHash } from "node:crypto";
import type { Generation } from "../store/batch.ts";
import type { ByteSource } from "./byte_source.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { HEAD_BYTES, lastBytes, TAIL_BYTES } from "./identity.ts";

/** The first KiB; all of a shorter file. */
export async function headOf(source: ByteSource): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of source.bytes(0)) {
    const joined = new Uint8Array(head.length + chunk.length);
    joined.set(head);
    joined.set(chunk, head.length);
    head = joined.subarray(0, HEAD_BYTES);
    if (head.length === HEAD_BYTES) break;
  }
  return head;
}

/** The up to 4,096 bytes before `offset`. */
export async function lastBytesBefore(source: ByteSource, offset: number): Promise<Uint8Array> {
  const start = Math.max(0, offset - TAIL_BYTES);
  let before: Uint8Array = new Uint8Array();
  if (offset === 0) return before;
  for await (const chunk of source.bytes(start)) {
    const wanted = offset - start - before.length;
    before = lastBytes(before, chunk.subarray(0, wanted), TAIL_BYTES);
    if (chunk.length >= wanted) break;
  }
  return before;
}

/** What reading a whole file tells. */
export interface Survey {
  /** The generation whose last bytes are where they should be; of several the longest read. */
  found: { generation: Generation; before: Uint8Array } | null;
  bytes: number;
  sha256: string;
  /** The up to 4,096 bytes at its end. */
  tail: Uint8Array;
}

/** Reads the file once to see which of the generations it is. */
export async function surveyOf(
  source: ByteSource,
  known: readonly Generation[],
  signal?: AbortSignal,
): Promise<Survey> {
  const shortestFirst = known.toSorted((a, b) => a.offset - b.offset);
  const hash = createHash("sha256");
  let found: Survey["found"] = null;
  let before: Uint8Array = new Uint8Array();
  let bytes = 0;
  const check = (chunk: Uint8Array) => {
    while (shortestFirst[0] !== undefined && shortestFirst[0].offset <= bytes + chunk.length) {
      const generation = shortestFirst[0];
      shortestFirst.shift();
      const tail = lastBytes(before, chunk.subarray(0, generation.offset - bytes), TAIL_BYTES);
      const same = generation.offset === 0 || sha256Hex(tail) === generation.tailSha256;
      if (same) found = { generation, before: tail };
    }
  };
  check(before);
  for await (const chunk of source.bytes(0, signal)) {
    check(chunk);
    hash.update(chunk);
    before = lastBytes(before, chunk, TAIL_BYTES);
    bytes += chunk.length;
  }
  return { found, bytes, sha256: hash.digest("hex"), tail: before };
}

/** What tells a file by its start: its first KiB, or all of a shorter file. */
export function headFacts(head: Uint8Array): Partial<Generation> {
  const headSha256 = head.length === 0 ? null : sha256Hex(head);
  const facts = { headBytes: head.length, headSha256 };
  return head.length < HEAD_BYTES ? { ...facts, contentSha256: headSha256 } : facts;
}
