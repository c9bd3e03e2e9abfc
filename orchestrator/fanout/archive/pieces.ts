/** Cuts the archived chunks of a question into pieces that agents are asked for one by one. */
import { CHUNKS_OF_PIECE_MAX } from "../../../protocol/archive/archive_piece.ts";
import type { ListedChunk } from "../../../protocol/archive/archive_piece.ts";
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";

/** A chunk, and what its key says. */
export interface PlacedChunk extends ListedChunk {
  place: ChunkPlace;
}

export interface Piece {
  region: string;
  /** The only host that its rows are of; null: of several. */
  host: string | null;
  chunks: PlacedChunk[];
  bytes: number;
}

export interface CutOptions {
  /** Whether the groups of the query are each host's own: then its chunks stay together. */
  byHost: boolean;
  /** Agents that will be asked, by region. */
  agentCount: (region: string) => number;
  /** Whether its host is there, and has it on its disk still. */
  isHeld: (chunk: PlacedChunk) => boolean;
  /** What references of chunks may take of one message. */
  referenceBytesMax: number;
}

/** Each agent gets several pieces: so that the fast ones get more of them. */
const PIECES_OF_AGENT = 4;
/** Smaller ones are more messages than work. */
const PIECE_BYTES_MIN = 4e6;
/** Larger ones take too long to be done again, and too much of an agent's cache. */
const PIECE_BYTES_MAX = 128e6;
/** Of a reference, beside key and ETag: its number and punctuation. */
const REFERENCE_BYTES = 24;

/** What of a list is chunks, each once. Names and hours are held once, for there are many chunks. */
export function placed(listed: readonly ListedChunk[]): PlacedChunk[] {
  const chunks = new Map<string, PlacedChunk>();
  const texts = new Map<string, string>();
  const once = (text: string) => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  for (const chunk of listed) {
    const found = parseChunkPath(chunk.key);
    if (found === null) continue;
    const { stream, region, host, hour } = found;
    const place = { ...found, stream: once(stream), region: once(region), host: once(host) };
    chunks.set(chunk.key, { ...chunk, place: { ...place, hour: once(hour) } });
  }
  return [...chunks.values()];
}

/** Every chunk is in one piece, in the order of keys: that is the order of time. */
export function cutPieces(chunks: readonly PlacedChunk[], options: CutOptions): Piece[] {
  const ofRegion = Map.groupBy(chunks, ({ place }) => place.region);
  return [...ofRegion].flatMap(([region, list]) => {
    const share = bytesOf(list) / (PIECES_OF_AGENT * Math.max(1, options.agentCount(region)));
    const bytesMax = Math.min(PIECE_BYTES_MAX, Math.max(PIECE_BYTES_MIN, share));
    const together = Map.groupBy(
      list,
      (chunk) => options.byHost || options.isHeld(chunk) ? chunk.place.host : null,
    );
    return [...together].flatMap(([host, own]) => {
      const limits = { bytesMax: options.byHost ? Infinity : bytesMax, ...options };
      return cut(own, limits).map((some) => ({
        region,
        host,
        chunks: some,
        bytes: bytesOf(some),
      }));
    });
  });
}

interface Limits {
  bytesMax: number;
  referenceBytesMax: number;
}

function cut(chunks: readonly PlacedChunk[], limits: Limits): PlacedChunk[][] {
  const cuts: PlacedChunk[][] = [];
  let [bytes, referenceBytes] = [0, 0];
  for (const chunk of chunks.toSorted((a, b) => a.key < b.key ? -1 : 1)) {
    const reference = chunk.key.length + chunk.etag.length + REFERENCE_BYTES;
    const last = cuts.at(-1);
    const isFull = last === undefined || last.length >= CHUNKS_OF_PIECE_MAX ||
      bytes + chunk.readBytes > limits.bytesMax ||
      referenceBytes + reference > limits.referenceBytesMax;
    if (isFull) {
      cuts.push([chunk]);
      [bytes, referenceBytes] = [0, 0];
    } else last.push(chunk);
    bytes += chunk.readBytes;
    referenceBytes += reference;
  }
  return cuts;
}

function bytesOf(chunks: readonly PlacedChunk[]): number {
  return chunks.reduce((sum, { readBytes }) => sum + readBytes, 0);
}
