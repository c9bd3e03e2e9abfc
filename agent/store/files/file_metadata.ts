/**
 * What every part and chunk says of itself, in its Parquet key-value metadata: enough to make
 * agent.db anew from the files alone (reconcile.ts says how).
 */
import { z } from "zod";
import { messageOf } from "../../../protocol/errors.ts";
import { SCHEMA_VERSION } from "../../../protocol/schema/streams.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import type { Engine } from "../../../queries/duckdb/engine.ts";
import type { Generation } from "../batch.ts";
import type { Origin, StoredFile } from "../database/catalog.ts";

/** The key it lies under. */
export const METADATA_KEY = "logvend";

const Run = z.object({ generation: z.string(), start: z.number(), end: z.number() });

/** A generation as it was durable when the file was committed. */
export const GenerationFacts = z.object({
  id: z.string(),
  stream: z.string(),
  path: z.string(),
  device: z.number(),
  inode: z.number(),
  offset: z.number(),
  headSha256: z.string().nullable(),
  headBytes: z.number(),
  tailSha256: z.string().nullable(),
  contentSha256: z.string().nullable(),
  firstSeenMs: z.number(),
  /** Its path at first sight, where the writer knew it. */
  inputPath: z.string().nullable(),
  /** Where reading it began, where the writer knew it. */
  beganOffset: z.number().nullable().optional(),
});
export type GenerationFacts = z.infer<typeof GenerationFacts>;

const Count = z.object({
  stream: z.string(),
  generation: z.string(),
  hour: z.string(),
  outcome: z.enum(["stored", "rejected", "dropped", "uncounted", "erased"]),
  reason: z.string(),
  lines: z.number(),
  bytes: z.number(),
});

const Gap = z.object({
  generation: z.string(),
  stream: z.string(),
  path: z.string(),
  offset: z.number(),
  bytes: z.number(),
  reason: z.enum(["truncated", "gone"]),
  seenMs: z.number(),
});

const FileMetadata = z.object({
  schema_version: z.number(),
  id: z.string(),
  kind: z.enum(["part", "chunk"]),
  stream: z.string(),
  hour: z.string(),
  rows: z.number(),
  tsMinUs: z.number(),
  tsMaxUs: z.number(),
  createdMs: z.number(),
  runs: z.array(Run),
  /** Of a part: the flush that wrote it, in how many parts, and all their runs. */
  flush: z.object({ id: z.string(), parts: z.number(), runs: z.array(Run) }).nullable(),
  /** Those of its runs; of a flush's first part all that the flush made durable. */
  generations: z.array(GenerationFacts),
  /** Of a flush's first part: what became of all lines of the flush, and what could not be read. */
  account: z.object({ counts: z.array(Count), gaps: z.array(Gap) }).nullable(),
  /** Of a chunk: what else its id is made of (chunk_id.ts). */
  mark: z.string().optional(),
});
export type FileMetadata = z.infer<typeof FileMetadata>;

/** Of files that older versions wrote. */
const OldMetadata = z.object({ schema_version: z.number(), runs: z.array(Run) });

/** The metadata of a file that is about to be written, as text. */
export function metadataText(
  file: Omit<StoredFile, "path" | "bytes" | "sha256">,
  more: Pick<FileMetadata, "flush" | "generations" | "account" | "mark">,
): string {
  const { id, kind, stream, hour, rows, tsMinUs, tsMaxUs, createdMs, runs } = file;
  const facts = { id, kind, stream, hour, rows, tsMinUs, tsMaxUs, createdMs, runs };
  return JSON.stringify(
    { schema_version: SCHEMA_VERSION, ...facts, ...more } satisfies FileMetadata,
  );
}

/** The facts of a generation. */
export function factsOf(
  generation: Generation,
  origin: Pick<Origin, "inputPath" | "beganOffset"> | undefined,
): GenerationFacts {
  const { lines: _, ...facts } = generation;
  const { inputPath = null, beganOffset = null } = origin ?? {};
  return { ...facts, inputPath, beganOffset };
}

/** What a file turned out to say. */
export type ReadMetadata =
  | { kind: "whole"; metadata: FileMetadata }
  /** Of an older version: where its rows come from is all it says. */
  | { kind: "old"; runs: StoredFile["runs"] }
  /** Of a newer version than this program. */
  | { kind: "newer"; schemaVersion: number }
  | { kind: "unreadable" };

/** Reads the metadata of one Parquet file. */
export async function readMetadata(engine: Engine, path: string): Promise<ReadMetadata> {
  let value: unknown;
  try {
    const { rows } = await engine.read(
      `SELECT decode(value) FROM parquet_kv_metadata(${literal(path)})
       WHERE decode(key) = '${METADATA_KEY}'`,
    );
    value = JSON.parse(String(rows[0]?.[0]));
  } catch (error) {
    if (/Cannot open file/.test(messageOf(error))) throw error; // no handle, no permission
    return { kind: "unreadable" }; // whatever it is, it is no file of ours any more
  }
  const { data: old } = OldMetadata.safeParse(value);
  if (old === undefined) return { kind: "unreadable" };
  const { schema_version: schemaVersion, runs } = old;
  if (schemaVersion > SCHEMA_VERSION) return { kind: "newer", schemaVersion };
  const { data: metadata } = FileMetadata.safeParse(value);
  return metadata === undefined ? { kind: "old", runs } : { kind: "whole", metadata };
}
