/** The SQL that makes the lines of a log up again from parts, chunks and rejects, in order. */
import { IS_REDACTED, REJECTS_SCHEMA } from "../../protocol/schema/streams.ts";
import type { StreamSchema } from "../../protocol/schema/streams.ts";
import {
  literal,
  logicalColumns,
  physicalRows,
  timestamp,
} from "../../protocol/schema/table_sql.ts";
import type { Slice } from "./slices.ts";

/** Which lines. */
export interface LinesWanted {
  stream: string;
  schema: StreamSchema;
  region: string;
  /** Half-open over ts: ISO 8601, UTC; null is unbounded. */
  range: { since: string | null; until: string | null };
  /** A condition over the stream's columns that has passed the gate; null: every line. */
  where: string | null;
  slices: readonly Slice[];
  /** Parquet files of the stream, absolute: parts and chunks. */
  files: readonly string[];
  /** Of the rejects; not read with a condition. */
  rejects: readonly string[];
}

/** From the first row to this one, in the order of the files; DuckDB streams such windows. */
export const SO_FAR = "(ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)";

/**
 * A SELECT with `piece` (the index of the slice), `bytes` (of the line, with its end) and `is_cut`
 * (the store has not all of the line), in the lines' order.
 */
export function linesSelect(wanted: LinesWanted): string {
  const { schema, slices, files, rejects, where } = wanted;
  const lines = [
    ...(files.length > 0 ? [rowLines(wanted, placedRows(schema, files))] : []),
    ...(rejects.length > 0 && where === null ? [rejectLines(wanted)] : []),
  ];
  const values = slices.map(({ source, start, end }, i) =>
    `(${i}, ${literal(source.id)}, ${start}, ${end ?? Number.MAX_SAFE_INTEGER})`
  );
  return `SELECT piece, bytes, is_cut FROM (${lines.join(" UNION ALL ")}) AS lines
    JOIN (VALUES ${values.join(", ")}) AS slices(piece, generation, slice_start, slice_end)
      ON at_generation = generation AND at_offset >= slice_start AND at_offset < slice_end
    ORDER BY piece, at_offset`;
}

/** The lines of rows, of the SELECT `placed`. */
function rowLines({ schema, region, range, where }: LinesWanted, placed: string): string {
  return `SELECT at_generation, at_offset,
      ${wholeLine("line_bytes", "if(is_redacted, NULL, at_length)")} AS bytes, false AS is_cut
    FROM (SELECT ${logicalColumns(schema, region)}, at_generation, at_offset, at_length,
        ${IS_REDACTED} AS is_redacted
      FROM (${placed}) WHERE ${bounds(range)})
    WHERE ${where ?? "true"}`;
}

/**
 * Files hold a position only where a row does not directly follow its predecessor, which begins a
 * run; the others stand as far behind its beginning as the lines between are long. `at_row`: the place
 * in the files, from 0.
 */
export function placedRows(schema: StreamSchema, files: readonly string[]): string {
  const lineBytes = schema.expressions["line_bytes"] ?? "line_bytes";
  const run = `count(line_offset) OVER ${SO_FAR} AS run`;
  const measured = `SELECT *, coalesce(line_length, octet_length(${lineBytes}) + 1) AS at_length,
      ${run}, row_number() OVER () - 1 AS at_row
    FROM (${physicalRows(schema, files)})`;
  const summed = `SELECT *, sum(at_length) OVER ${SO_FAR}::BIGINT - at_length AS bytes_before
    FROM (${measured})`;
  const inRuns = `SELECT *, bytes_before
      - max(if(line_offset IS NULL, NULL, bytes_before)) OVER ${SO_FAR} AS bytes_into_run
    FROM (${summed})`;
  const starts = `SELECT run, generation, line_offset
    FROM (SELECT generation, line_offset, ${run} FROM (${physicalRows(schema, files)}))
    WHERE line_offset IS NOT NULL`;
  return `SELECT placed.*, starts.generation AS at_generation,
      starts.line_offset + bytes_into_run AS at_offset
    FROM (${inRuns}) AS placed JOIN (${starts}) AS starts USING (run)`;
}

/** Rejects are kept as they are; overlong ones are cut, and holes are not kept at all. */
function rejectLines({ stream, range, rejects }: LinesWanted): string {
  return `SELECT generation AS at_generation, line_offset AS at_offset,
      if(reason = 'zero_bytes', ''::BLOB, ${wholeLine("line", "length")}) AS bytes,
      octet_length(line) + 1 < length AS is_cut
    FROM (${physicalRows(REJECTS_SCHEMA, rejects)})
    WHERE stream = ${literal(stream)} AND ${bounds(range)}`;
}

/** A line with its end, which the last line of a file may lack; NULL: it has one. */
function wholeLine(line: string, length: string): string {
  return `if(octet_length(${line}) = ${length}, ${line}, ${line} || '\\x0A'::BLOB)`;
}

function bounds({ since, until }: LinesWanted["range"]): string {
  return [
    since === null ? "true" : `ts >= ${literal(timestamp(since))}::TIMESTAMP`,
    until === null ? "true" : `ts < ${literal(timestamp(until))}::TIMESTAMP`,
  ].join(" AND ");
}
