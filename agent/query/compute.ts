/** Runs the SELECTs of windows in a query worker, over what is committed. */
import { LogvendError } from "../../protocol/errors.ts";
import { schemaOf } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import type { Computation, TextRows } from "../store/computing.ts";
import type { QueryParts } from "./prepare.ts";
import type { Shipped } from "./worker_protocol.ts";

/** Of the rows of all windows that are computed at once: they are held as text on both sides. */
const ROWS_MAX = 100_000;
const BYTES_MAX = 8e6;

/** @throws {LogvendError} bad_sql, too_many_rows, timeout, cancelled or internal */
export async function compute(
  { store, workers, region }: Omit<QueryParts, "behindBytes">,
  { table, view, columns, since, until, selects, timeoutMs }: Computation,
  signal: AbortSignal,
): Promise<TextRows[]> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const resultFolder = workers.makeFolder("result-");
  try {
    return await workers.useNow(ends, async (worker) => {
      const request = { tables: [table], since, until, committed: true };
      await using snapshot = await store.snapshot(request);
      const { files: paths = [], shape } = snapshot.tables.get(table) ?? {};
      const files = paths.map((path) => workers.pathFor(path));
      const source = { files, region, since, until, columns };
      const result = await worker.run({
        views: [{ table: view, sql: tableSelect(schemaOf(table, shape), source) }],
        files,
        output: {
          kind: "partials",
          partials: selects.map((sql, i) => ({ table: `window_${i}`, sql })),
          caps: { rows_max: ROWS_MAX, bytes_max: BYTES_MAX },
          text_bytes_max: BYTES_MAX,
        },
        result_folder: resultFolder,
      }, ends);
      if (result.kind !== "partials") throw new LogvendError("internal", "Another answer came");
      return result.shipped.map(textRows);
    });
  } finally {
    await Deno.remove(resultFolder, { recursive: true });
  }
}

function textRows(shipped: Shipped): TextRows {
  if (shipped.encoding === "text") {
    const { values, rows } = shipped;
    return Array.from({ length: rows }, (_, row) => values.map((column) => column[row] ?? null));
  }
  throw new LogvendError("too_many_rows", `A window's result is longer than ${BYTES_MAX} bytes`);
}
