/** What the store lends to queries: the files that hold some tables, kept until given back. */
import type { HourSpan } from "../../protocol/wire/hour_spans.ts";
import type { ArchiveUse, Column, Table } from "../../protocol/wire/messages.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { ColumnTexts } from "../../queries/plan/reach.ts";
import type { Generation } from "./batch.ts";

/** Files that together hold the asked range of some tables; they stay until disposed (leases). */
export interface Snapshot extends AsyncDisposable {
  /** By table name, for every asked table, "rejects" included when it is asked. */
  tables: ReadonlyMap<string, SnapshotTable>;
  /** Rejected lines in the range, whether "rejects" is asked or not. */
  rejects: number;
  /** What was destroyed unread, of all streams, seen in the range. */
  gaps: { count: number; bytes: number };
  /** Files of the asked tables and range that are damaged or missing, and their rows. */
  lost: { files: number; rows: number };
  /** What had to come from the archive. */
  archive?: ArchiveUse | undefined;
  /** Chunks of the archive that could not be read: the answer lacks them. @default none */
  unread?: (UnreadChunk | UnreadHost)[] | undefined;
  /** Hours of which chunks have left this host, and the archive has none. @default none */
  absent?: HourSpan[] | undefined;
}

/** An archived chunk that could not be read, and why. */
export interface UnreadChunk {
  key: string;
  reason: string;
}

/** A host of which nobody could say what the archive has. */
export interface UnreadHost {
  host: string;
  reason: string;
}

/** The files of one table. They may hold rows outside the range too: the view cuts those off. */
export interface SnapshotTable {
  /** Absolute paths of Parquet files; none: the table is empty. */
  files: string[];
  /** Files of which only what is needed is there. @default none */
  archived?: ArchivedFiles[] | undefined;
  /** Rows in no file of which nothing matters but how many they are, and when (microseconds). */
  counted?: { rows: number; firstUs: number; lastUs: number } | undefined;
  /** Ids of the sealed chunks among the files. @default none */
  chunkIds?: string[] | undefined;
  /** Rows in the files, and those in none. */
  rows: number;
  bytes: number;
  /** Those of the files that never change. */
  stored?: StoredSpan[];
  /** Of a stream's rows in these files. */
  shape?: StreamShape | undefined;
}

/** Files that have the same columns only: others are zeros in them, and must not even be scanned. */
export interface ArchivedFiles {
  files: ArchivedFile[];
  /** The physical columns that may be read. */
  columns: string[];
  /** Whether all their rows are in the range: they may lack `ts`. */
  isWhole: boolean;
}

/** What was fetched of one chunk. */
export interface ArchivedFile {
  path: string;
  /** The object's. */
  key: string;
  rows: number;
  /** It is no good: the next query fetches it anew. */
  discard(): void;
}

/** Half-open range over `ts`, UTC, ISO 8601; null is unbounded. */
export interface SnapshotRequest {
  tables: readonly string[];
  since: string | null;
  until: string | null;
  /** Only what is in parts and chunks: the newest rows are made durable first. @default false */
  durable?: boolean | undefined;
  /** Only what is in parts and chunks by now: the newest rows are left out. @default false */
  committed?: boolean | undefined;
  /** What is read of each table: what else is in the files need not be there. @default all */
  needs?: Readonly<Record<string, TableNeeds>>;
}

/** What a query reads of one table. */
export interface TableNeeds {
  /** As SQL sees them. */
  columns: readonly Column[];
  /** Texts, one of which every row has that matters. */
  values: ColumnTexts;
  /** Whether it is enough how many rows there are, and when. */
  countsOnly: boolean;
}

/** The part of the store that queries read from. */
export interface SnapshotSource {
  /** All tables: the streams, and those that every host has. */
  tables(): Table[];
  /** Rows from before may have left for the archive; null: none has. @default null */
  goneUntil?(): string | null;
  /** Leases the files of the asked range, the newest rows among them. */
  snapshot(request: SnapshotRequest): Promise<Snapshot>;
}

/** What of the archive's chunks is here. */
export interface HeldChunks {
  /** Those of these sealed chunks that are here, by their paths in the data folder. */
  lend(tables: readonly string[], paths: readonly string[]): Promise<Snapshot>;
  /** Whether a chunk of an earlier data folder has lines that were read again. */
  isReadAgain(chunk: FormerChunk): boolean;
  /** Chunks that left for age or room, and the hours that they are of. */
  retired(
    tables: readonly string[],
    range: { sinceUs: number; untilUs: number },
  ): { id: string; hour: string }[];
}

/** Where the lines of a chunk come from, as far as its file says. */
export interface FormerChunk {
  /** Of bytes of log files. */
  runs: { generation: string; start: number; end: number }[];
  generations: Pick<
    Generation,
    "id" | "device" | "inode" | "headSha256" | "headBytes" | "contentSha256"
  >[];
}

/** A part or chunk, and the times of its rows, microseconds since 1970, both inclusive. */
export interface StoredSpan {
  path: string;
  kind: "part" | "chunk";
  tsMinUs: number;
  tsMaxUs: number;
  rows: number;
  bytes: number;
  createdMs: number;
}
