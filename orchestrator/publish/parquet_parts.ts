/** Cuts one long Parquet file into several of about the same size, in the order of its rows. */
import { join } from "node:path";
import type { Column } from "../../protocol/wire/messages.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";

/** Of one file: engines that read a folder share it out by files. */
export const PART_BYTES_MAX = 256 * 2 ** 20;

/** DuckDB's own: cuts between its row groups read nothing twice. */
const ROW_GROUP_ROWS = 122_880;

/** A row group of wide rows, packed and unpacked. */
const MEMORY_BYTES = 512 * 2 ** 20;

export interface ParquetPart {
  path: string;
  rows: number;
}

export interface CutRequest {
  path: string;
  /** Where parts are written; each is deleted when the next one is asked for. */
  folder: string;
  bytesMax: number;
}

/** Names and types as whoever reads the file has them. */
export async function parquetColumns(path: string): Promise<Column[]> {
  await using engine = await Engine.open();
  return await engine.describe(`FROM read_parquet(${literal(path)})`);
}

/** The file itself where it is short enough. @throws when it is no whole Parquet file */
export async function* parquetParts(
  { path, folder, bytesMax }: CutRequest,
): AsyncGenerator<ParquetPart> {
  await using engine = await Engine.open({ memoryBytes: MEMORY_BYTES });
  const { rows: [facts = []] } = await engine.read(
    `SELECT num_rows FROM parquet_file_metadata(${literal(path)})`,
  );
  const rowCount = Number(facts[0]);
  const { size } = await Deno.stat(path);
  if (size <= bytesMax || rowCount === 0) return yield { path, rows: rowCount };
  const step = rowsOfPart({ rowCount, size, bytesMax });
  for (let start = 0, index = 0; start < rowCount; start += step, index++) {
    const part = join(folder, `part-${index}.parquet`);
    try {
      await engine.run(
        `COPY (
          SELECT * EXCLUDE (file_row_number)
          FROM read_parquet(${literal(path)}, file_row_number = true)
          WHERE file_row_number >= ${start} AND file_row_number < ${start + step}
        ) TO ${literal(part)} (FORMAT parquet, COMPRESSION zstd)`,
      );
      yield { path: part, rows: Math.min(step, rowCount - start) };
    } finally {
      await Deno.remove(part).catch(() => {}); // a failed COPY leaves none
    }
  }
}

/** Whole row groups, as long as there are some. */
function rowsOfPart(
  { rowCount, size, bytesMax }: { rowCount: number; size: number; bytesMax: number },
): number {
  const rows = Math.max(1, Math.floor(rowCount * bytesMax / size));
  return rows < ROW_GROUP_ROWS ? rows : rows - rows % ROW_GROUP_ROWS;
}
