/** Writes a chunk anew without some of its rows: the others stay as they are, in their order. */
import { withoutRows } from "../../protocol/chunk/chunk_id.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { REJECTS, REJECTS_SCHEMA, schemaOf } from "../../protocol/schema/streams.ts";
import { identifier, literal, physicalRows } from "../../protocol/schema/table_sql.ts";
import type { Engine } from "../duckdb/engine.ts";
import { placedRows, SO_FAR } from "../restore/restore_sql.ts";

/** A chunk, and the places of the rows that it is to lose. */
export interface Rewriting {
  /** The stream, or `rejects`. */
  table: string;
  shape: StreamShape;
  chunk: string;
  source: string;
  /** A Parquet file with the one column `logvend_row`: at least one place, each once. */
  rows: string;
  target: string;
}

/** Lines of one generation and hour that went. */
export interface ErasedCount {
  stream: string;
  generation: string;
  /** UTC hour, `2026-11-22T19`. */
  hour: string;
  /** What they had become before, and why. */
  outcome: "stored" | "rejected";
  reason: string;
  lines: number;
  /** With their ends. */
  bytes: number;
}

/** The chunk that took its place. */
export interface Rewritten {
  /** Its id. */
  chunk: string;
  /** Rows that are left. */
  rows: number;
  counts: ErasedCount[];
}

/** Rows whose predecessor goes say from then on themselves where they lay. */
const POSITIONS = ["generation", "line_offset"];

/** @throws when the file is no chunk of ours */
export async function rewriteChunk(engine: Engine, rewriting: Rewriting): Promise<Rewritten> {
  const { table, chunk, source, target, rows } = rewriting;
  const before = await rowsIn(engine, source);
  await engine.run(
    `CREATE OR REPLACE TEMP TABLE erasing AS
     SELECT bitstring_agg(logvend_row::INTEGER, 0, ${before - 1}) AS bits
     FROM read_parquet(${literal(rows)})`,
  );
  const { counts, digest } = await erasedCounts(engine, rewriting);
  const erased = counts.reduce((sum, { lines }) => sum + lines, 0);
  const id = withoutRows(chunk, { rows: erased, digest });
  const columns = await engine.describe(`SELECT * FROM ${parquet(source)}`);
  const names = columns.map(({ name }) => name);
  const isPlaced = table !== REJECTS && POSITIONS.every((name) => names.includes(name));
  if (isPlaced) await notePositions(engine, rewriting);
  const list = isPlaced ? `* REPLACE (${POSITIONS.map(newPosition).join(", ")})` : "*";
  const select = `SELECT ${names.map(identifier).join(", ")} FROM (
    SELECT ${list} FROM (SELECT *, count(if(is_marked, 1, NULL)) OVER ${SO_FAR} AS mark FROM (
      SELECT *, NOT is_erased AND coalesce(lag(is_erased) OVER (), false) AS is_marked FROM (
        SELECT *, ${IS_ERASED} AS is_erased
        FROM (SELECT *, row_number() OVER () - 1 AS at_row FROM ${parquet(source)}))))
    WHERE NOT is_erased)`;
  const written = await engine.read(
    `COPY (${select}) TO ${literal(target)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
       ROW_GROUP_SIZE ${await rowGroupRows(engine, source)}, KV_METADATA {logvend: $metadata})`,
    { metadata: await metadataOf(engine, source, { chunk: id, rows: before - erased }) },
  );
  const left = Number(written.rows[0]?.[0]);
  if (left !== before - erased) { // the source is about to be deleted
    throw new LogvendError(
      "internal",
      `${chunk} has ${before} rows: without ${erased} of them ${left} were written`,
    );
  }
  return { chunk: id, rows: left, counts };
}

/** Of a row with its place `at_row`. */
const IS_ERASED = "get_bit((SELECT bits FROM erasing), at_row::INTEGER) = 1";

function parquet(path: string): string {
  return `read_parquet(${literal(path)}, hive_partitioning = false)`;
}

async function rowsIn(engine: Engine, path: string): Promise<number> {
  const { rows } = await engine.read(`SELECT count(*) FROM ${parquet(path)}`);
  return Number(rows[0]?.[0]);
}

/** What goes, by generation and hour, and the digest of where it lay. */
async function erasedCounts(engine: Engine, { table, shape, source }: Rewriting) {
  const isRejects = table === REJECTS;
  const schema = schemaOf(table, shape);
  const hasArrival = schema.physical.some(({ name }) => name === "ts_arrival");
  const placed = isRejects
    ? `SELECT *, row_number() OVER () - 1 AS at_row, generation AS at_generation,
         line_offset AS at_offset, length AS at_length
       FROM (${physicalRows(REJECTS_SCHEMA, [source])})`
    : placedRows(schema, [source]);
  const { rows } = await engine.read(
    `SELECT ${isRejects ? "stream" : literal(table)}, at_generation,
       strftime(ts, '%Y-%m-%dT%H') AS hour,
       ${isRejects ? "reason" : hasArrival ? "if(ts_arrival, 'no_time', '')" : "''"} AS reason,
       count(*), sum(at_length),
       bit_xor(md5_number_lower(at_generation || ':' || at_offset)) & 281474976710655
     FROM (${placed}) WHERE ${IS_ERASED} GROUP BY ALL ORDER BY ALL`,
  );
  let digest = 0n;
  const counts = rows.map(([stream, generation, hour, reason, lines, bytes, part]): ErasedCount => {
    digest ^= BigInt(String(part));
    return {
      stream: String(stream),
      generation: String(generation),
      hour: String(hour),
      outcome: isRejects ? "rejected" : "stored",
      reason: String(reason ?? ""),
      lines: Number(lines),
      bytes: Number(bytes),
    };
  });
  return { counts, digest };
}

/** Where the rows lay that follow on erased ones, in their order. */
async function notePositions(engine: Engine, { table, shape, source }: Rewriting) {
  const placed = placedRows(schemaOf(table, shape), [source]);
  await engine.run(
    `CREATE OR REPLACE TEMP TABLE positions AS
     SELECT list(at_generation ORDER BY at_row) AS generation,
       list(at_offset ORDER BY at_row) AS line_offset
     FROM (${placed}) WHERE NOT ${IS_ERASED} AND at_row > 0
       AND get_bit((SELECT bits FROM erasing), greatest(at_row - 1, 0)::INTEGER) = 1`,
  );
}

function newPosition(name: string): string {
  return `if(is_marked, (SELECT ${name} FROM positions)[mark], ${name}) AS ${name}`;
}

/** As the source has them. */
async function rowGroupRows(engine: Engine, source: string): Promise<number> {
  const { rows } = await engine.read(
    `SELECT coalesce(max(row_group_num_rows), 1) FROM parquet_metadata(${literal(source)})`,
  );
  return Math.max(2_048, Number(rows[0]?.[0])); // DuckDB writes no smaller ones
}

/** That of the source, but for the id and the rows. */
async function metadataOf(
  engine: Engine,
  source: string,
  { chunk, rows }: { chunk: string; rows: number },
): Promise<string> {
  const found = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${literal(source)})
     WHERE decode(key) = 'logvend'`,
  );
  const metadata: unknown = JSON.parse(String(found.rows[0]?.[0]));
  if (typeof metadata !== "object" || metadata === null) throw new Error(`${source} is no chunk`);
  const supersedes = "id" in metadata ? metadata.id : null;
  return JSON.stringify({ ...metadata, id: chunk, rows, supersedes });
}
