/** The table `accounting`: a Parquet file made for one query, of what agent.db and memory count. */
import { hourOf } from "../../protocol/chunk/chunk_path.ts";
import { ACCOUNTING } from "../../protocol/schema/streams.ts";
import { timestampValue } from "../../queries/duckdb/types.ts";
import type { DuckDBValue } from "../../queries/duckdb/types.ts";
import type { Gap, Generation } from "../store/batch.ts";
import { writeMadeTable } from "../store/rows/made_tables.ts";
import type { SnapshotTable } from "../store/snapshot.ts";
import type { Count } from "./tally.ts";

/** What the table is made of. */
export interface Accounts {
  host: string;
  counts: readonly Count[];
  /** Where the generations of the counts are found. */
  generations: readonly Pick<Generation, "id" | "path">[];
  gaps: readonly Gap[];
}

/** A row of the table. */
export interface AccountRow extends Omit<Count, "outcome" | "lines"> {
  file: string | null;
  outcome: Count["outcome"] | "gap";
  /** Nobody knows how many lines were in a gap. */
  lines: number | null;
}

/** Counts and gaps alike. */
export function accountRows({ counts, generations, gaps }: Omit<Accounts, "host">): AccountRow[] {
  const paths = new Map(generations.map(({ id, path }) => [id, path]));
  return [
    ...counts.map((count) => ({ ...count, file: paths.get(count.generation) ?? null })),
    ...gaps.map(({ seenMs, path, offset: _, ...gap }): AccountRow => ({
      ...gap,
      file: path,
      hour: hourOf(seenMs),
      outcome: "gap",
      lines: null,
    })),
  ];
}

/** Writes the table's file; its owner deletes it. */
export async function writeAccountFile(path: string, accounts: Accounts): Promise<SnapshotTable> {
  return await writeMadeTable(
    path,
    ACCOUNTING,
    accountColumns(accounts.host, accountRows(accounts)),
  );
}

function accountColumns(
  host: string,
  rows: readonly AccountRow[],
): Record<string, DuckDBValue[]> {
  return {
    ts: rows.map(({ hour }) => timestampValue(BigInt(Date.parse(`${hour}:00Z`)) * 1_000n)),
    stream: rows.map(({ stream }) => stream),
    host: rows.map(() => host),
    file: rows.map(({ file }) => file),
    generation: rows.map(({ generation }) => generation === "" ? null : generation),
    outcome: rows.map(({ outcome }) => outcome),
    reason: rows.map(({ reason }) => reason === "" ? null : reason),
    lines: rows.map(({ lines }) => lines === null ? null : BigInt(lines)),
    bytes: rows.map(({ bytes }) => BigInt(bytes)),
  };
}
