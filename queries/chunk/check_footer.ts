/** Whether a footer is that of a chunk of ours, and can be true: anybody can put a file into a bucket. */
import type { FileMetaData } from "hyparquet";
import { z } from "zod";
import { SCHEMA_VERSION } from "../../protocol/schema/streams.ts";
import { ChunkError } from "./chunk_error.ts";

/** The key of what our files say of themselves (file_metadata.ts of the store). */
const METADATA_KEY = "logvend";

const Run = z.object({ generation: z.string(), start: z.number(), end: z.number() });

const Generation = z.object({
  id: z.string(),
  device: z.number(),
  inode: z.number(),
  headSha256: z.string().nullable(),
  headBytes: z.number(),
  contentSha256: z.string().nullable(),
  // How the host would know the file again: of chunks of older versions it is not there.
  stream: z.string().optional(),
  path: z.string().optional(),
  offset: z.number().optional(),
  tailSha256: z.string().nullable().optional(),
  firstSeenMs: z.number().optional(),
  inputPath: z.string().nullable().optional(),
  beganOffset: z.number().nullable().optional(),
});

/** What every version says. */
const Versioned = z.object({ schema_version: z.number().default(SCHEMA_VERSION) });

/** Of chunks that older versions wrote less is known. */
const Said = Versioned.extend({
  id: z.string().optional(),
  rows: z.number().optional(),
  runs: z.array(Run).default([]),
  generations: z.array(Generation).default([]),
  mark: z.string().optional(),
});

/** "PAR1" at the beginning. */
const MAGIC_BYTES = 4;

/** What the footer says that its file is. */
export interface FooterFacts {
  /** Id of the chunk; null: it does not say. */
  id: string | null;
  schemaVersion: number;
  /** Whose rows it has, by its statistics; null: they do not say, or of several. */
  host: string | null;
  /** Of bytes of log files. */
  runs: z.infer<typeof Run>[];
  /** The files that they are of. */
  generations: z.infer<typeof Generation>[];
  /** What else its id is made of (chunk_id.ts). */
  mark?: string | undefined;
}

/**
 * @param dataEnd where the footer begins
 * @throws {ChunkError} of foreign files, of chunks that a newer version wrote, and of footers that
 * contradict themselves
 */
export function checkFooter(metadata: FileMetaData, dataEnd: number): FooterFacts {
  const said = saidBy(metadata);
  const names = new Set(metadata.schema.map(({ name }) => name));
  for (const name of ["ts", "host"]) {
    if (!names.has(name)) throw new ChunkError(`it has no column ${name}`);
  }
  const rows = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (rows !== Number(metadata.num_rows)) {
    throw lies("its row groups have other rows than the file");
  }
  if (said.rows !== undefined && said.rows !== rows) throw lies(`it says ${said.rows} rows`);
  for (const group of metadata.row_groups) checkGroup(group, dataEnd);
  const { id = null, schema_version: schemaVersion, runs, generations, mark } = said;
  return { id, schemaVersion, host: hostOf(metadata), runs, generations, mark };
}

/** Null: there are rows of several hosts, or statistics do not say. */
function hostOf({ row_groups: groups }: FileMetaData): string | null {
  const hosts = new Set<unknown>();
  for (const { columns } of groups) {
    const column = columns.find(({ meta_data: one }) => one?.path_in_schema.join(".") === "host");
    const { min_value: min, max_value: max } = column?.meta_data?.statistics ?? {};
    hosts.add(min).add(max);
  }
  const [host] = hosts;
  return hosts.size === 1 && typeof host === "string" ? host : null;
}

function saidBy({ key_value_metadata: pairs }: FileMetaData): z.infer<typeof Said> {
  const text = pairs?.find(({ key }) => key === METADATA_KEY)?.value;
  if (text === undefined) throw new ChunkError("it is a Parquet file that logvend did not write");
  try {
    const said: unknown = JSON.parse(text);
    const { schema_version: version } = Versioned.parse(said);
    if (version > SCHEMA_VERSION) throw newer(version);
    return Said.parse(said);
  } catch (cause) {
    if (cause instanceof ChunkError) throw cause;
    throw new ChunkError("what it says of itself cannot be read", cause);
  }
}

/** Nothing is wrong with it: its rows would be read as something else. */
function newer(version: number): ChunkError {
  return new ChunkError(
    `a newer logvend wrote it (schema ${version}; this one reads schemas up to ${SCHEMA_VERSION})`,
    undefined,
    "upgrade whoever reads it",
  );
}

function checkGroup({ columns, num_rows: rows }: FileMetaData["row_groups"][number], end: number) {
  for (const { meta_data: column } of columns) {
    if (column === undefined) throw lies("a column has no place");
    const name = column.path_in_schema.join(".");
    if (column.num_values !== rows) throw lies(`column ${name} has other rows than its group`);
    const offsets = [column.data_page_offset, column.dictionary_page_offset ?? 0n].map(Number);
    const start = Math.min(...offsets.filter((offset) => offset > 0));
    const size = Number(column.total_compressed_size);
    if (start < MAGIC_BYTES || size < 0 || start + size > end) {
      throw lies(`column ${name} lies outside of it`);
    }
    const filterEnd = Number(column.bloom_filter_offset ?? 0n) + (column.bloom_filter_length ?? 0);
    if (filterEnd > end) throw lies(`the filter of column ${name} lies outside of it`);
  }
}

function lies(why: string): ChunkError {
  return new ChunkError(`its footer cannot be true: ${why}`);
}
