/** What this host was asked: the newest queries in agent.db, who signed them, what they cost. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

/** Older ones are forgotten. */
const KEPT_MAX = 10_000;
/** Kept queries are counted once in so many. */
const PRUNE_EVERY = 100;
/** Longer SQL is cut: agent.db stays below 100 MB, whatever is asked. */
const SQL_CHARACTERS_MAX = 4_096;

/** The table, in agent.db's format version 7. */
export const QUERY_LOG_TABLE = `
  CREATE TABLE query_log (
    id TEXT PRIMARY KEY, asked_ms INTEGER NOT NULL, operator TEXT NOT NULL,
    selector TEXT NOT NULL, sql TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'failed', 'cancelled', 'interrupted')),
    error TEXT, rows_shipped INTEGER, bytes_shipped INTEGER, chunks INTEGER,
    rows_scanned INTEGER, bytes_read INTEGER, sql_ms REAL, total_ms REAL) STRICT;
  CREATE INDEX query_log_by_time ON query_log (asked_ms);
`;

/** A query that this host has accepted. */
export interface AskedQuery {
  id: string;
  askedMs: number;
  /** The public key that signed it. */
  operator: string;
  /** Empty: every host. */
  selector: string;
  sql: string;
}

/** What came of it. What is not known is null. */
export interface QueryOutcome {
  state: "complete" | "failed" | "cancelled";
  error: string | null;
  rowsShipped: number | null;
  /** Before they are wrapped into messages. */
  bytesShipped: number | null;
  chunks: number | null;
  rowsScanned: number | null;
  bytesRead: number | null;
  /** Time inside DuckDB. */
  sqlMs: number | null;
  /** From the command's arrival until the last of the answer was sent. */
  totalMs: number;
}

/** One query. `interrupted`: the agent ended while it ran. */
export interface QueryLogEntry extends AskedQuery, Omit<QueryOutcome, "state" | "totalMs"> {
  state: "running" | "interrupted" | QueryOutcome["state"];
  totalMs: number | null;
}

export class QueryLog {
  private untilPrune = 0;

  /** The one writer: what still ran when it last ended was interrupted. */
  constructor(private readonly database: DatabaseSync) {
    database.exec("UPDATE query_log SET state = 'interrupted' WHERE state = 'running'");
  }

  /** Notes a query that begins; in a transaction of the caller, if he has begun one. */
  begin({ sql, ...asked }: AskedQuery): void {
    const isLong = sql.length > SQL_CHARACTERS_MAX;
    this.database.prepare(
      `INSERT OR IGNORE INTO query_log (id, asked_ms, operator, selector, sql, state)
       VALUES ($id, $askedMs, $operator, $selector, $sql, 'running')`,
    ).run({ ...asked, sql: isLong ? `${sql.slice(0, SQL_CHARACTERS_MAX - 1)}…` : sql });
    if (this.untilPrune-- > 0) return;
    this.untilPrune = PRUNE_EVERY;
    this.database.exec(
      `DELETE FROM query_log WHERE asked_ms <
         (SELECT asked_ms FROM query_log ORDER BY asked_ms DESC LIMIT 1 OFFSET ${KEPT_MAX})`,
    );
  }

  /** Notes what came of it. */
  end(id: string, outcome: QueryOutcome): void {
    this.database.prepare(
      `UPDATE query_log SET state = $state, error = $error, rows_shipped = $rowsShipped,
         bytes_shipped = $bytesShipped, chunks = $chunks, rows_scanned = $rowsScanned,
         bytes_read = $bytesRead, sql_ms = $sqlMs, total_ms = $totalMs
       WHERE id = $id`,
    ).run({ id, ...outcome });
  }
}

/** The kept queries, oldest first. */
export function readQueryLog(database: DatabaseSync): QueryLogEntry[] {
  return database.prepare("SELECT * FROM query_log ORDER BY asked_ms, id").all().map(entryOf);
}

function entryOf(row: Record<string, SQLOutputValue>): QueryLogEntry {
  const number = (name: string) => typeof row[name] === "number" ? row[name] : null;
  return {
    id: String(row.id),
    askedMs: Number(row.asked_ms),
    operator: String(row.operator),
    selector: String(row.selector),
    sql: String(row.sql),
    state: row.state as QueryLogEntry["state"], // the table's CHECK lets nothing else in
    error: typeof row.error === "string" ? row.error : null,
    rowsShipped: number("rows_shipped"),
    bytesShipped: number("bytes_shipped"),
    chunks: number("chunks"),
    rowsScanned: number("rows_scanned"),
    bytesRead: number("bytes_read"),
    sqlMs: number("sql_ms"),
    totalMs: number("total_ms"),
  };
}
