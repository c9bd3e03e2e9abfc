/** What ingest hands to the store: rows and rejects of one stretch of one file generation. */
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { ArchivedLines, LineRun } from "./archived_lines.ts";
import type { StreamRows } from "./rows/rows.ts";

/**
 * One life of a log file: from its creation to its truncation, replacement or deletion. The id is
 * minted at first sight; an event's identity is (host, generation, byte offset).
 */
export interface Generation {
  /** 16 hex digits, random. */
  id: string;
  stream: string;
  /** Where the file was last seen. */
  path: string;
  device: number;
  inode: number;
  /** Bytes whose rows and rejects are durable: where reading goes on after a restart. */
  offset: number;
  /** Lines between where it was first read from and `offset`. */
  lines: number;
  /** SHA-256 (hex) of the first `headBytes` (1,024 at most) bytes; null until there are any. */
  headSha256: string | null;
  headBytes: number;
  /** SHA-256 (hex) of the up to 4,096 bytes before `offset`; null at 0. */
  tailSha256: string | null;
  /** SHA-256 of the whole file, for imported files. */
  contentSha256: string | null;
  firstSeenMs: number;
}

/** A line that no format could read. Its bytes are kept, cut to the line limit. */
export interface Reject {
  /** Microseconds since 1970: of the preceding good line, else of arrival. */
  ts: bigint;
  /** A short closed set, e.g. "no_format", "bad_time", "too_long". */
  reason: string;
  line: Uint8Array;
  line_offset: number;
  /** Bytes of the whole line with its end. */
  length: number;
}

/** Lines that rules kept out of the store, in columns of one length: only their counts stay. */
export interface DroppedLines {
  /** Microseconds since 1970, UTC. */
  ts: bigint[];
  /** The name of the rule. */
  rule: string[];
  /** Bytes with the line end. */
  line_length: number[];
}

/** Consecutive lines of one generation: each is in exactly one of rows, rejects and dropped. */
export interface Batch {
  generation: string;
  /** First byte of the batch, and the byte after its last line: the next batch starts there. */
  startOffset: number;
  endOffset: number;
  lines: number;
  rows: StreamRows;
  /** Of the rows: the same object for as long as nothing changes. */
  shape: StreamShape;
  rejects: Reject[];
  dropped: DroppedLines;
  /** Its bytes are lines that the archive has: it holds none. What is left of them behind it. */
  passed?: { left: LineRun | null };
  /** The up to 4,096 bytes of the file before endOffset: a restart recognises the file by them. */
  tail: Uint8Array;
}

/** The end of a generation that is no more and that was not read; no lines are known of it. */
export interface Gap {
  generation: string;
  stream: string;
  /** Where the file was last seen. */
  path: string;
  /** Its first byte, and how many there were at least. */
  offset: number;
  bytes: number;
  /** Whether the file was emptied or written anew, or is no longer there. */
  reason: "truncated" | "gone";
  seenMs: number;
}

/** A file that the archive has lines of, as an earlier data folder of this host knew it last. */
export interface FormerGeneration extends Generation {
  /** Where reading it began. */
  beganOffset: number;
}

/** What the archive has from an earlier data folder. */
export interface FormerFiles {
  /** Files of a stream of which nothing has been read here yet. */
  generations(stream: string): FormerGeneration[];
  /** Lines of a generation that are passed over; null: there are none. */
  lines(generation: string): ArchivedLines | null;
}

/** A packed file that has been read to its end. */
export interface PackedNote {
  /** Which file it is. */
  file: string;
  /** What it was then: one that changes is another. */
  state: string;
  generation: string;
  /** Unpacked. */
  bytes: number;
}

/** Of packed files, kept from one start to the next. They save work, and nothing hangs on them. */
export interface PackedNotes {
  of(stream: string): PackedNote[];
  /** Durable when it returns. @throws when there is no room */
  change(
    stream: string,
    change: { noted: readonly PackedNote[]; gone: readonly string[] },
  ): void;
}

/** The part of the store that ingest writes to. */
export interface BatchSink {
  /** Every generation of a stream, with the offset that it was appended to so far. */
  generations(stream: string): Generation[];
  /** @default there are none */
  readonly former?: FormerFiles | undefined;
  /** @default packed files are looked through at every start */
  readonly packed?: PackedNotes | undefined;
  /** What is known of a stream's rows: nothing of it may narrow. */
  shape(stream: string): StreamShape;
  /** Adds a new generation, or new facts of one (path, head, content); durable with the next flush. */
  putGeneration(generation: Generation): void;
  /** Notes what can be read no more; durable with the next flush. */
  addGap(gap: Gap): void;
  /**
   * Takes a batch; resolves when the reader may go on (back-pressure). Not durable until flushed.
   * From then on the batch's rows may be used for others.
   */
  append(batch: Batch): Promise<void>;
  /** Makes everything so far durable. */
  flush(): Promise<void>;
}
