/** Parquet files as the store writes them, and a store that lends them. */
import type {
  Snapshot,
  SnapshotRequest,
  SnapshotSource,
} from "../../../../agent/store/snapshot.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { ACCESS, tablesOf } from "../../../../protocol/schema/streams.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";

/** Statuses of the rows go round: 200, 200, 200, 404. */
export const ROWS_PER_404 = 4;

/** Writes `rowCount` access log lines, one a second from 2026-11-22T19:00:00Z on. */
export async function writeLogs(path: string, rowCount: number): Promise<void> {
  await using engine = await Engine.open();
  const nulls = ACCESS.physical.map(({ name, type }) => `NULL::${type} AS ${name}`);
  await engine.run(`COPY (
    SELECT ${nulls.join(", ")} WHERE false
    UNION ALL BY NAME SELECT
      TIMESTAMP '2026-11-22 19:00:00' + to_seconds(range) AS ts,
      format('192.0.2.{}', range % 250) AS remote_addr,
      'GET' AS http_method,
      '/product/' || hash(range) AS request,
      if(range % ${ROWS_PER_404} = 3, 404, 200) AS status,
      range AS body_bytes_sent,
      'a "quoted" \\ text' AS http_user_agent,
      0 AS time_zone_min,
      'combined' AS layout,
      'web-1' AS host
    FROM range(${rowCount})
  ) TO ${literal(path)} (FORMAT parquet)`);
}

/** Lends one file as the table `logs`. */
export class FileStore implements SnapshotSource {
  lent = 0;
  /** The last that it was asked for. */
  asked: SnapshotRequest | null = null;

  constructor(private readonly file: string, private readonly rows: number) {}

  tables() {
    return tablesOf(["logs"], () => ACCESS_SHAPE);
  }

  async snapshot(request: SnapshotRequest): Promise<Snapshot> {
    this.asked = request;
    const { size } = await Deno.stat(this.file);
    this.lent++;
    return {
      tables: new Map([["logs", { files: [this.file], rows: this.rows, bytes: size }]]),
      rejects: 5,
      gaps: { count: 1, bytes: 9 },
      lost: { files: 0, rows: 0 },
      [Symbol.asyncDispose]: () => Promise.resolve(void this.lent--),
    };
  }
}
