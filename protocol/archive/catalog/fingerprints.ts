/**
 * Which chunks of a day may hold a text: 40 bits of the hash of each distinct text, with the chunks
 * that have it, in the order of hashes and cut into slices of some kilobytes by their first bits. One
 * text is looked for in one slice, however many chunks there are. Pure.
 */
import { createHash } from "node:crypto";
import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Bits that are kept of a hash: of 10 million texts in a day, one in 100,000 is taken for another. */
export const HASH_BITS = 40;

/** So many texts and chunks are read for one: 16 KB. */
const PAIRS_OF_SLICE = 3_500;

/** What a number holds exactly: hash and chunk are sorted as one. */
const EXACT_BITS = 53;

/** Of a day; more would not fit into a number beside the hash. */
export const CHUNKS_MAX = 2 ** 20;

/** A text as it is looked for, the same as HASH_SQL says. */
export function hashOf(text: string): number {
  return createHash("md5").update(text).digest().readUIntLE(3, HASH_BITS / 8);
}

/** The same in SQL. @param expression a text */
export function hashSql(expression: string): string {
  return `(md5_number_upper(${expression}) >> ${64 - HASH_BITS})::DOUBLE`;
}

/** Texts of one slice and the chunks that have them, side by side, in the order of hashes. */
export interface Pairs {
  hashes: Float64Array;
  chunks: Uint32Array;
}

/** How many first bits of a hash say its slice. */
export function sliceBits(pairs: number, chunks: number): number {
  const bySize = Math.ceil(Math.log2(Math.max(1, pairs / PAIRS_OF_SLICE)));
  const byExactness = HASH_BITS + Math.ceil(Math.log2(Math.max(1, chunks))) - EXACT_BITS;
  return Math.min(HASH_BITS, Math.max(0, bySize, byExactness));
}

/** In which slice a hash is. */
export function sliceOf(hash: number, bits: number): number {
  return Math.floor(hash / 2 ** (HASH_BITS - bits));
}

/**
 * One slice as bytes: checksum, count, then the differences of the hashes, byte by byte of each, and
 * the chunks likewise: what is alike stands together.
 */
export function packSlice({ hashes, chunks }: Pairs): Uint8Array {
  const count = hashes.length;
  const width = HASH_BITS / 8;
  const planes = new Uint8Array(count * (width + 3));
  let last = 0;
  for (let i = 0; i < count; i++) {
    let rest = (hashes[i] ?? 0) - last;
    last = hashes[i] ?? 0;
    for (let plane = 0; plane < width; plane++) {
      planes[plane * count + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    const chunk = chunks[i] ?? 0;
    for (let plane = 0; plane < 3; plane++) {
      planes[(width + plane) * count + i] = chunk >>> (8 * plane) & 255;
    }
  }
  const packed = zstdCompressSync(planes);
  const bytes = new Uint8Array(8 + packed.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, count, true);
  bytes.set(packed, 8);
  view.setUint32(0, crc32(bytes.subarray(4)), true);
  return bytes;
}

/** @throws {RangeError} for bytes that are none, or not those that were written */
export function unpackSlice(bytes: Uint8Array): Pairs {
  if (bytes.length < 8) throw new RangeError("a slice that is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== crc32(bytes.subarray(4))) throw new RangeError("a damaged slice");
  const count = view.getUint32(4, true);
  const planes = zstdDecompressSync(bytes.subarray(8));
  const width = HASH_BITS / 8;
  if (planes.length !== count * (width + 3)) throw new RangeError("a slice of another length");
  const hashes = new Float64Array(count);
  const chunks = new Uint32Array(count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    let step = 0;
    for (let plane = width - 1; plane >= 0; plane--) {
      step = step * 256 + (planes[plane * count + i] ?? 0);
    }
    last += step;
    hashes[i] = last;
    for (let plane = 2; plane >= 0; plane--) {
      chunks[i] = (chunks[i] ?? 0) << 8 | (planes[(width + plane) * count + i] ?? 0);
    }
  }
  return { hashes, chunks };
}

/** The chunks that have a hash. */
export function chunksOf({ hashes, chunks }: Pairs, hash: number): number[] {
  let [low, high] = [0, hashes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((hashes[middle] ?? 0) < hash) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (let i = low; i < hashes.length && hashes[i] === hash; i++) found.push(chunks[i] ?? 0);
  return found;
}

/** Pairs in order. @param bits of their slice, by which what is sorted fits into a number */
export function sortedPairs(hashes: readonly number[], chunks: readonly number[], bits: number) {
  const size = 2 ** (HASH_BITS - bits);
  const start = hashes.length === 0 ? 0 : Math.floor((hashes[0] ?? 0) / size) * size;
  const chunkCount = 2 ** Math.min(20, EXACT_BITS - (HASH_BITS - bits));
  const keys = Float64Array.from(
    hashes,
    (hash, i) => (hash - start) * chunkCount + (chunks[i] ?? 0),
  );
  keys.sort();
  return {
    hashes: keys.map((key) => start + Math.floor(key / chunkCount)),
    chunks: Uint32Array.from(keys, (key) => key % chunkCount),
  };
}
