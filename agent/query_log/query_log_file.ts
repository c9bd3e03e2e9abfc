/** The table `query_log`: a Parquet file made for one query, of what agent.db has noted. */
import { QUERY_LOG } from "../../protocol/schema/streams.ts";
import { timestampValue } from "../../queries/duckdb/types.ts";
import { writeMadeTable } from "../store/rows/made_tables.ts";
import type { SnapshotTable } from "../store/snapshot.ts";
import type { QueryLogEntry } from "./query_log.ts";

/** Writes the table's file; its owner deletes it. */
export async function writeQueryLogFile(
  path: string,
  { host, entries }: { host: string; entries: readonly QueryLogEntry[] },
): Promise<SnapshotTable> {
  const integers = (of: (entry: QueryLogEntry) => number | null) =>
    entries.map((entry) => integer(of(entry)));
  return await writeMadeTable(path, QUERY_LOG, {
    ts: entries.map(({ askedMs }) => timestampValue(BigInt(askedMs) * 1_000n)),
    query_id: entries.map(({ id }) => id),
    operator: entries.map(({ operator }) => operator),
    selector: entries.map(({ selector }) => selector),
    sql: entries.map(({ sql }) => sql),
    host: entries.map(() => host),
    state: entries.map(({ state }) => state),
    error: entries.map(({ error }) => error),
    rows_shipped: integers(({ rowsShipped }) => rowsShipped),
    bytes_shipped: integers(({ bytesShipped }) => bytesShipped),
    chunks: integers(({ chunks }) => chunks),
    rows_scanned: integers(({ rowsScanned }) => rowsScanned),
    bytes_read: integers(({ bytesRead }) => bytesRead),
    sql_ms: entries.map(({ sqlMs }) => sqlMs),
    total_ms: entries.map(({ totalMs }) => totalMs),
  });
}

function integer(value: number | null): bigint | null {
  return value === null ? null : BigInt(value);
}
