/** An object in memory that counts what is read of it, and the Parquet file in it. */
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { ACCESS } from "../../../../../protocol/schema/streams.ts";
import { literal } from "../../../../../protocol/schema/table_sql.ts";
import type { CachedObject } from "../../../../../agent/archive/reads/chunk_cache.ts";
import type { ByteRange } from "../../../../../protocol/archive/ranges.ts";

/** Rows of one row group. */
export const GROUP_ROWS = 2_048;

export const START = "2026-11-22T19:00:00Z";

export interface ChunkRows {
  rows: number;
  /** SQL of remote_addr, over `range`. @default a few that go round */
  address?: string;
  /** The first second of the hour with a row. @default 0 */
  fromSecond?: number;
  host?: string;
  /** What the file says of itself, JSON. @default nothing that anybody knows */
  said?: string;
}

/** Writes access logs, one row a second, in small row groups, as chunks are written. */
export async function writeChunk(path: string, chunk: ChunkRows): Promise<void> {
  const { rows, fromSecond = 0, said = '{"a":1}' } = chunk;
  const { address = "format('192.0.2.{}', range % 250)" } = chunk;
  await using engine = await Engine.open();
  const nulls = ACCESS.physical.map(({ name, type }) => `NULL::${type} AS ${name}`);
  await engine.run(`COPY (
    SELECT ${nulls.join(", ")} WHERE false
    UNION ALL BY NAME SELECT
      TIMESTAMP '2026-11-22 19:00:00' + to_seconds(range + ${fromSecond}) AS ts,
      0::SMALLINT AS time_zone_min,
      ${address} AS remote_addr,
      '-' AS remote_user,
      'GET' AS http_method,
      '/product/' || hash(range) AS request,
      'HTTP/1.1' AS http_version,
      if(range % 4 = 3, 404, 200) AS status,
      hash(range) % 1_000_000 AS body_bytes_sent,
      '-' AS http_referer,
      'agent ' || hash(range // 3) AS http_user_agent,
      'combined' AS layout,
      ${literal(chunk.host ?? "web-1")} AS host
    FROM range(${rows})
  ) TO ${literal(path)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
    ROW_GROUP_SIZE ${GROUP_ROWS}, KV_METADATA {logvend: ${literal(said)}})`);
}

/** An object whose content can be replaced. */
export class MemoryObject {
  etag = '"1"';
  readonly asked: ByteRange[] = [];

  constructor(public bytes: Uint8Array, readonly key = "chunk.parquet") {}

  /** As a cache is asked for it. */
  get cached(): CachedObject {
    const { key, etag, bytes } = this;
    return {
      key,
      etag,
      bytes: bytes.length,
      read: ({ start, end }) => {
        if (this.etag !== etag) return Promise.reject(new Error("changed"));
        this.asked.push({ start, end });
        return Promise.resolve(this.bytes.slice(start, end));
      },
    };
  }
}

/** The whole range, and no texts. */
export const ANY = { sinceUs: -Infinity, untilUs: Infinity, values: {} };

/** Microseconds of a second after START. */
export function second(count: number): number {
  return (Date.parse(START) + count * 1_000) * 1_000;
}
