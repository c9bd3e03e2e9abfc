/** Makes a chunk of parts that were written as chunks are: what they hold is copied as it is. */
import type { Column } from "../../../protocol/wire/messages.ts";
import { parquetFiles } from "../../../protocol/schema/table_sql.ts";
import { sameColumns } from "../../../queries/columns.ts";
import type { Engine } from "../../../queries/duckdb/engine.ts";
import { METADATA_KEY } from "../files/file_metadata.ts";
import { FILE, readFooter, rowGroupsFacts } from "../../../queries/parquet/footer.ts";
import type { Footer } from "../../../queries/parquet/footer.ts";
import { joinFiles } from "./join_files.ts";
import type { Joined, JoinedSource } from "./join_files.ts";
import { writeStruct } from "../../../queries/parquet/thrift.ts";

/** Row groups of fewer rows are worth merging: chunks of them would be some hundredths larger. */
const ROWS_MIN = 150_000;
/** … unless they are of so many bytes: half of what the largest may have. */
const BYTES_MIN = 24 * 2 ** 20;

interface JoinRequest {
  columns: readonly Column[];
  sources: readonly { path: string }[];
  target: string;
  metadata: string;
}

/** Null: there is no chunk, the parts must be merged. */
export async function joinParts(
  engine: Engine,
  { columns, sources, target, metadata }: JoinRequest,
): Promise<Joined | null> {
  const joined: JoinedSource[] = [];
  for (const { path } of sources) {
    using file = await Deno.open(path);
    const footer = await readFooter(file);
    const isAlike = joined[0] === undefined || sameSchema(joined[0].footer, footer);
    if (!isAlike || !rowGroupsFacts(footer).isZstd) return null;
    joined.push({ path, footer });
  }
  const [first] = joined;
  if (first === undefined || !areLarge(joined)) return null;
  const own = await engine.describe(`SELECT * FROM ${parquetFiles([first.path])}`);
  if (!sameColumns(own, columns)) return null;
  return await joinFiles(joined, target, { key: METADATA_KEY, value: metadata });
}

function areLarge(sources: readonly JoinedSource[]): boolean {
  const all = sources.map(({ footer }) => rowGroupsFacts(footer));
  const [count, rows, bytes] = (["count", "rows", "bytes"] as const)
    .map((fact) => all.reduce((sum, facts) => sum + facts[fact], 0));
  return count === 1 || rows! >= ROWS_MIN * count! || bytes! >= BYTES_MIN * count!;
}

function sameSchema(some: Footer, other: Footer): boolean {
  const [a, b] = [some, other].map(({ fields }) => {
    const schema = fields.get(FILE.schema);
    return schema === undefined ? "" : writeStruct(new Map([[FILE.schema, schema]])).toHex();
  });
  return a === b;
}
