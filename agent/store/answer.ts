/** What the link asks of a host's query engine, and what comes back: the two meet here. */
import type { ArchivePiece } from "../../protocol/archive/archive_piece.ts";
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import type { Limits, Range, Source } from "../../protocol/signing/claims.ts";
import type { Column, HostCoverage, Table } from "../../protocol/wire/messages.ts";

/** One question to this host. Whether it may be asked has been checked. */
export interface HostQuery {
  sql: string;
  /** The instant that now() and the like stand for: ISO 8601, UTC. */
  now: string;
  range: Range;
  limits: Limits;
  /** Of the plan that the asker has made. */
  version: number;
  /** The tables that it may name, with the columns that the fleet knows. */
  tables: readonly Table[];
  /** Whether it is to run though it had to be killed before. @default false */
  force?: boolean;
  /** Whether it is only to be said that it may run, in an answer without tables. @default false */
  explain?: boolean;
  /** Tables of the asker's own, with their rows. @default none */
  broadcast?: BroadcastTable[];
  /** Where rows may come from. @default what this host holds */
  source?: Source | undefined;
  /** A piece of a question to the archive, and the selector that was signed. @default none */
  archive?: { piece: ArchivePiece; selector: string } | undefined;
  /** Whether archived chunks that cannot be read are left out, and named. @default it is an error */
  mayLack?: boolean;
}

/** One partial table as it leaves the host: its texts, or a Parquet file. */
export type AnswerTable =
  & { table: string; rows: number; bytes: number }
  & (
    | {
      encoding: "text";
      columns: Column[];
      /** Column by column, every value cast to VARCHAR, null for NULL. One MQTT message holds it. */
      values: (string | null)[][];
    }
    | { encoding: "parquet"; file: string }
  );

/** A host's part of an answer. Its files stay until it is disposed. */
export interface HostAnswer extends AsyncDisposable {
  tables: AnswerTable[];
  coverage: HostCoverage;
  /** Time inside DuckDB. */
  sqlMs: number;
}

/** Answers questions. @throws {LogvendError} bad_sql, too_many_rows, timeout, cancelled, … */
export type HostAnswerer = (query: HostQuery, signal: AbortSignal) => Promise<HostAnswer>;
