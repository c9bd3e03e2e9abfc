/**
 * Ids of chunks. That of a sealed hour has 16 hex digits. Where rows were erased, the rest of them is
 * another chunk: its id says of which one, how many rows less it has (8 digits) and which (12 digits,
 * from where their lines lay). So whoever erases the same rows makes the same id, in whatever steps;
 * and of the chunks of one origin the one whose id is greatest is the last.
 */
import { sha256Hex } from "../sha256.ts";
import { parseChunkPath } from "./chunk_path.ts";
import type { ChunkPlace } from "./chunk_path.ts";

/** Erased rows: how many, and a digest of 48 bits. */
export interface ErasedRows {
  rows: number;
  /** Of several sets of rows: that of each, XORed. */
  digest: bigint;
}

const DIGEST_MASK = (1n << 48n) - 1n;

/** What the id of a sealed hour is made of, besides its place. */
export interface SealedFrom {
  schemaVersion: number;
  /** Bytes of log files, united. */
  runs: readonly { generation: string; start: number; end: number }[];
  /** What tells it from another chunk of the same bytes; null or nothing: it is the first of them. */
  mark?: string | null | undefined;
}

/** The id of a sealed hour: the same, however often it is sealed from the same lines. */
export function sealedId(
  { region, host, stream, hour }: Omit<ChunkPlace, "chunk">,
  { schemaVersion, runs, mark }: SealedFrom,
): string {
  const stretches = runs.map(({ generation, start, end }) => [generation, start, end]);
  const marked = typeof mark === "string" ? [mark] : [];
  const identity = [region, host, stream, hour, schemaVersion, stretches, ...marked];
  return sha256Hex(JSON.stringify(identity)).slice(0, 16);
}

/** The chunk that was sealed. */
export function originOf(chunk: string): string {
  return chunk.slice(0, 16);
}

/** What was erased of the chunk that was sealed. */
export function erasedOf(chunk: string): ErasedRows {
  const [, rows, digest] = chunk.split("_");
  return { rows: parseInt(rows ?? "0", 16), digest: BigInt(`0x${digest ?? "0"}`) };
}

/** The id of what is left of a chunk when these rows are erased too. */
export function withoutRows(chunk: string, { rows, digest }: ErasedRows): string {
  const before = erasedOf(chunk);
  const count = (before.rows + rows).toString(16).padStart(8, "0");
  const all = (before.digest ^ (digest & DIGEST_MASK)).toString(16).padStart(12, "0");
  return `${originOf(chunk)}_${count}_${all}`;
}

/** What the keys begin with of all chunks that were made of the one that was sealed. */
export function originKey(key: string, chunk: string): string {
  return key.slice(0, -`${chunk}.parquet`.length) + originOf(chunk);
}

/**
 * Of these keys those of chunks whose rows are in another one of them, less the erased: they do not
 * count, wherever chunks are told from a listing. Everything else counts, what is no chunk as well.
 */
export function supersededKeys(keys: Iterable<string>): Set<string> {
  const superseded = new Set<string>();
  const last = new Map<string, string>();
  for (const key of keys) {
    const place = parseChunkPath(key);
    if (place === null) continue;
    const origin = originKey(key, place.chunk);
    const other = last.get(origin);
    if (other === key) continue;
    const isLater = other === undefined || bare(key) > bare(other);
    if (other !== undefined) superseded.add(isLater ? other : key);
    if (isLater) last.set(origin, key);
  }
  return superseded;
}

/** Those that count. */
export function counting<T extends { key: string }>(objects: readonly T[]): T[] {
  const superseded = supersededKeys(objects.map(({ key }) => key));
  return superseded.size === 0 ? [...objects] : objects.filter(({ key }) => !superseded.has(key));
}

/** The digits of longer ids stand behind those of shorter ones. */
function bare(key: string): string {
  return key.slice(0, -".parquet".length);
}
