/** Whether another Parquet file is a chunk too, and has its rows, although its bytes are others. */
import { messageOf } from "../../../protocol/errors.ts";
import { REJECTS } from "../../../protocol/schema/streams.ts";
import { identifier, literal } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import type { StoredFile } from "../database/catalog.ts";
import { readMetadata } from "../files/file_metadata.ts";

/** It has the chunk's rows; it is a whole chunk of that id, of other rows; it is none, or damaged. */
export type Likeness = "same" | "other" | "none";

/** Only rows without a direct predecessor have these: that differs with every sealing. */
const POSITIONS = ["generation", "line_offset"];

/** Rows are read in stretches of a row group; a file that was not made here may have larger ones. */
const MEMORY_BYTES = 600 * 2 ** 20;

/** Says nothing of the file that is read. */
const NO_HANDLE = /Cannot open file/;
/** Says that it cannot be told what it is: then it is not replaced. */
const NO_MEMORY = /Out of Memory/;

/**
 * A chunk's id says where its rows come from; sealed again, they may lie differently. What they are
 * may differ too: rules and formats have changed, or two machines have one name and one log.
 * @param path of the other file
 * @param own of the chunk's file, verified just now
 * @param memoryBytes what does not fit counts as other
 */
export async function compareChunks(
  path: string,
  own: string,
  chunk: StoredFile,
  memoryBytes = MEMORY_BYTES,
): Promise<Likeness> {
  await using engine = await Engine.open({ memoryBytes });
  try {
    return await compare(engine, { path, own, chunk });
  } catch (error) {
    if (NO_MEMORY.test(messageOf(error))) return "other";
    throw error;
  }
}

interface Compared {
  path: string;
  own: string;
  chunk: StoredFile;
}

async function compare(engine: Engine, { path, own, chunk }: Compared): Promise<Likeness> {
  const { id, stream, rows } = chunk;
  const read = await readMetadata(engine, path);
  if (read.kind !== "whole" || read.metadata.id !== id) return "none";
  const mine = await columnsOf(engine, own);
  const theirs = await unlessDamaged(() => columnsOf(engine, path));
  if (theirs === null) return "none";
  const common = [...mine].filter((name) =>
    theirs.has(name) && (stream === REJECTS || !POSITIONS.includes(name))
  );
  const there = await unlessDamaged(() => contentOf(engine, path, { common, all: theirs }));
  if (there === null || there.rows !== read.metadata.rows) return "none";
  if (there.rows !== rows || there.others > 0) return "other";
  const here = await contentOf(engine, own, { common, all: mine });
  return here.others === 0 && here.digest === there.digest ? "same" : "other";
}

/** Null: the file cannot be read to its end. */
async function unlessDamaged<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    const message = messageOf(error);
    if (NO_HANDLE.test(message) || NO_MEMORY.test(message)) throw error;
    return null;
  }
}

async function columnsOf(engine: Engine, path: string): Promise<Set<string>> {
  return new Set((await engine.describe(`SELECT * FROM ${parquet(path)}`)).map(({ name }) => name));
}

/** The rows as a set, however they are ordered, and how many values of other columns there are. */
async function contentOf(
  engine: Engine,
  path: string,
  { common, all }: { common: readonly string[]; all: ReadonlySet<string> },
) {
  const others = [...all].filter((name) => !common.includes(name) && !POSITIONS.includes(name));
  const texts = common.toSorted().map((name) => `${identifier(name)}::VARCHAR`).join(", ");
  const counts = ["0", ...others.map((name) => `count(${identifier(name)})`)].join(" + ");
  const { rows: [[count, values, ...digest] = []] } = await engine.read(
    `SELECT count(*), ${counts}, sum(md5_number_lower(logvend_row)),
       sum(md5_number_upper(logvend_row))
     FROM (SELECT *, to_json([${texts}])::VARCHAR AS logvend_row FROM ${parquet(path)})`,
  );
  return { rows: Number(count), others: Number(values), digest: digest.join() };
}

function parquet(path: string): string {
  return `read_parquet(${literal(path)}, hive_partitioning = false)`;
}
