/** Where a sealed chunk lies, on disk and in S3: Hive partitions that every engine reads. */

export interface ChunkPlace {
  stream: string;
  region: string;
  host: string;
  /** UTC hour of the events, `2026-11-22T19`. */
  hour: string;
  /** 16 hex digits, and more behind them where rows were erased (chunk_id.ts). */
  chunk: string;
}

/** `stream=logs/region=eu-west-1/date=2026-11-22/hour=19/web-1.0123456789abcdef.parquet` */
export function chunkPath(place: ChunkPlace): string {
  const [date, hour] = place.hour.split("T");
  return `stream=${place.stream}/region=${place.region}/date=${date}/hour=${hour}/` +
    `${place.host}.${place.chunk}.parquet`;
}

const CHUNK_PATH = new RegExp(
  "^stream=([a-z][a-z0-9_]{0,62})/region=([A-Za-z0-9][A-Za-z0-9._-]{0,127})" +
    "/date=(\\d{4}-\\d\\d-\\d\\d)/hour=(\\d\\d)/" +
    "([A-Za-z0-9][A-Za-z0-9._-]{0,127})\\.([0-9a-f]{16}(?:_[0-9a-f]{8}_[0-9a-f]{12})?)\\.parquet$",
);

/** What a path says; null: it is no chunk's. */
export function parseChunkPath(path: string): ChunkPlace | null {
  const [, stream, region, date, hour, host, chunk] = CHUNK_PATH.exec(path) ?? [];
  if (stream === undefined || region === undefined || host === undefined) return null;
  return { stream, region, host, hour: `${date}T${hour}`, chunk: chunk ?? "" };
}

/** The UTC hour of an instant, `2026-11-22T19`. */
export function hourOf(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 13);
}
