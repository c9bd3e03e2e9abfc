/** What an agent is asked of the archive for a question that an operator has signed. */
import { z } from "zod";
import { HostName, StreamName } from "../names.ts";
import type { HourRun } from "./archived_hours.ts";

/** More do not fit into one message beside long SQL. */
export const CHUNKS_OF_PIECE_MAX = 200;

/** One version of one chunk: its key, bytes and ETag. */
export const ChunkReference = z.tuple([
  z.string().max(500),
  z.number().int().nonnegative(),
  z.string().max(100),
]);
export type ChunkReference = z.infer<typeof ChunkReference>;

/** `of`: the id that was signed. */
export const ArchivePiece = z.discriminatedUnion("kind", [
  /** Which chunks of the agent's region the question has to read. */
  z.object({ kind: z.literal("list"), of: z.uuid() }),
  /** The question's part over these chunks. */
  z.object({
    kind: z.literal("read"),
    of: z.uuid(),
    chunks: z.array(ChunkReference).max(CHUNKS_OF_PIECE_MAX),
  }),
]);
export type ArchivePiece = z.infer<typeof ArchivePiece>;

/** The table that a list comes as. */
export const CHUNK_LIST = "chunks";
/** Its columns. NULL: it is not known. */
export const CHUNK_COLUMNS = [
  { name: "key", type: "VARCHAR" },
  { name: "bytes", type: "BIGINT" },
  { name: "etag", type: "VARCHAR" },
  { name: "rows", type: "BIGINT" },
  { name: "read_bytes", type: "BIGINT" },
  { name: "requests", type: "BIGINT" },
];

/** A chunk that a question has to read, and what that takes. */
export interface ListedChunk {
  key: string;
  bytes: number;
  etag: string;
  /** Null where the catalog does not have it. */
  rows: number | null;
  /** As far as is known: of an unknown chunk, all of it. */
  readBytes: number;
  requests: number;
}

/** The columns of a table of texts. */
export function chunkTexts(chunks: readonly ListedChunk[]): (string | null)[][] {
  const text = (value: number | null) => value === null ? null : String(value);
  return [
    chunks.map(({ key }) => key),
    chunks.map(({ bytes }) => text(bytes)),
    chunks.map(({ etag }) => etag),
    chunks.map(({ rows }) => text(rows)),
    chunks.map(({ readBytes }) => text(readBytes)),
    chunks.map(({ requests }) => text(requests)),
  ];
}

/** The table that all hours come as of which there are chunks, ruled out or not. */
export const HOUR_LIST = "hours";
/** Its columns, those of a run. */
export const HOUR_COLUMNS = [
  { name: "host", type: "VARCHAR" },
  { name: "stream", type: "VARCHAR" },
  { name: "from_ms", type: "BIGINT" },
  { name: "hours", type: "BIGINT" },
  { name: "chunks", type: "BIGINT" },
];

/** The columns of a table of texts. */
export function hourTexts(runs: readonly HourRun[]): string[][] {
  return [
    runs.map(({ host }) => host),
    runs.map(({ stream }) => stream),
    runs.map(({ fromMs }) => String(fromMs)),
    runs.map(({ hours }) => String(hours)),
    runs.map(({ chunks }) => String(chunks)),
  ];
}

/** Reads them back. @throws for other texts */
export function runsOfTexts(values: readonly (readonly (string | null)[])[]): HourRun[] {
  const [hosts, streams, from, hours, chunks] = HourTexts.parse(values);
  return hosts.map((host, i) => ({
    host,
    stream: StreamName.parse(streams[i]),
    fromMs: z.number().parse(from[i]),
    hours: z.number().max(HOURS_MAX).parse(hours[i]),
    chunks: z.number().parse(chunks[i]),
  }));
}

/** A century: runs are told hour by hour. */
const HOURS_MAX = 876_000;

const Texts = z.array(z.array(z.string().nullable())).length(CHUNK_COLUMNS.length);

/** Reads them back. @throws for other texts */
export function chunksOfTexts(values: readonly (readonly (string | null)[])[]): ListedChunk[] {
  const [keys = [], bytes = [], etags = [], rows = [], readBytes = [], requests = []] = Texts.parse(
    values,
  );
  return keys.map((key, i) => ({
    key: z.string().parse(key),
    bytes: Count.parse(bytes[i]),
    etag: z.string().parse(etags[i]),
    rows: rows[i] === null ? null : Count.parse(rows[i]),
    readBytes: Count.parse(readBytes[i]),
    requests: Count.parse(requests[i]),
  }));
}

const Count = z.coerce.number().int().nonnegative();

const HourTexts = z.tuple([
  z.array(HostName),
  z.array(StreamName),
  z.array(Count),
  z.array(Count),
  z.array(Count),
]);
