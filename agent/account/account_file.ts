/** The table `accounting`: a Parquet file made for one query, of what agent.db and memory count. */
import { dirname } from "node:path";
import { ACCOUNTING, literal, schemaOf } from "../../protocol/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { duckdbType, timestampValue } from "../../queries/duckdb/types.ts";
import type { DuckDBValue } from "../../queries/duckdb/types.ts";
import type { Generation } from "../store/batch.ts";
import type { SnapshotTable } from "../store/snapshot.ts";
import type { Count } from "./tally.ts";

/** What the table is made of. */
export interface Accounts {
  host: string;
  counts: readonly Count[];
  /** Where the generations of the counts are found. */
  generations: readonly Pick<Generation, "id" | "path">[];
}

/** Writes the table's file; its owner deletes it. */
export async function writeAccountFile(path: string, accounts: Accounts): Promise<SnapshotTable> {
  const { physical } = schemaOf(ACCOUNTING);
  const columns = accountColumns(accounts);
  await Deno.mkdir(dirname(path), { recursive: true });
  await using engine = await Engine.open();
  const list = physical.map(({ name, type }) => `${name} ${type}`).join(", ");
  await engine.run(`CREATE TABLE ${ACCOUNTING} (${list})`);
  const types = physical.map(({ type }) => duckdbType(type));
  await engine.append(ACCOUNTING, types, physical.map(({ name }) => columns[name] ?? []));
  await engine.run(
    `COPY (FROM ${ACCOUNTING} ORDER BY ts, stream, file, generation) TO ${literal(path)}
     (FORMAT parquet)`,
  );
  return { files: [path], rows: accounts.counts.length, bytes: (await Deno.stat(path)).size };
}

function accountColumns({ host, counts, generations }: Accounts): Record<string, DuckDBValue[]> {
  const paths = new Map(generations.map(({ id, path }) => [id, path]));
  return {
    ts: counts.map(({ hour }) => timestampValue(BigInt(Date.parse(`${hour}:00Z`)) * 1_000n)),
    stream: counts.map(({ stream }) => stream),
    host: counts.map(() => host),
    file: counts.map(({ generation }) => paths.get(generation) ?? null),
    generation: counts.map(({ generation }) => generation === "" ? null : generation),
    outcome: counts.map(({ outcome }) => outcome),
    reason: counts.map(({ reason }) => reason === "" ? null : reason),
    lines: counts.map(({ lines }) => BigInt(lines)),
    bytes: counts.map(({ bytes }) => BigInt(bytes)),
  };
}
