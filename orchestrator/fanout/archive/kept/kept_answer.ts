/** An agent's answer to a piece as files: a record, and beside it the Parquet that it names. */
import { join } from "node:path";
import { z } from "zod";
import { ChunkReference } from "../../../../protocol/archive/archive_piece.ts";
import { writeDurably } from "../../../../protocol/durable_file.ts";
import { Column, HostCoverage } from "../../../../protocol/wire/messages.ts";
import type { HostAnswer } from "../../collector.ts";

const Part = z.object({
  table: z.string(),
  part: z.discriminatedUnion("encoding", [
    z.object({
      encoding: z.literal("text"),
      columns: z.array(Column),
      values: z.array(z.array(z.string().nullable())),
    }),
    /** A file in the same folder. */
    z.object({ encoding: z.literal("parquet"), file: z.string(), bytes: z.number().int() }),
  ]),
});
type Part = z.infer<typeof Part>;

const AnswerRecord = z.object({
  chunks: z.array(ChunkReference),
  host: z.string(),
  rows: z.record(z.string(), z.number()),
  coverage: HostCoverage,
  byteCount: z.number().int(),
  parts: z.array(Part),
});

/** What lies in a folder of one answer, and of which chunks it is. */
type KeptAnswer = z.infer<typeof AnswerRecord>;

const RECORD_ENDING = ".answer.json";

/** An answer that can be written: its record, and which files have to be beside it. */
export interface NewAnswer {
  name: string;
  record: string;
  /** Where they are now, by the name that they get. */
  files: Map<string, string>;
  bytes: number;
}

/** Makes the record. */
export async function newAnswer(
  chunks: readonly ChunkReference[],
  answer: HostAnswer,
): Promise<NewAnswer> {
  const name = crypto.randomUUID();
  const parts: Part[] = [];
  const files = new Map<string, string>();
  let bytes = 0;
  for (const { table, part } of answer.parts) {
    if (part.encoding === "text") {
      parts.push({ table, part: Part.shape.part.parse(part) });
      continue;
    }
    const { size } = await Deno.stat(part.file);
    const file = `${name}.${files.size}.parquet`;
    parts.push({ table, part: { encoding: "parquet", file, bytes: size } });
    files.set(file, part.file);
    bytes += size;
  }
  const record = JSON.stringify({ ...answer, chunks, parts });
  return { name, record, files, bytes: bytes + record.length };
}

/** When this resolves it is durable. The record is the last: without it there is no answer. */
export async function writeAnswer(folder: string, { name, record, files }: NewAnswer) {
  for (const [file, path] of files) {
    using source = await Deno.open(path, { read: true, write: true });
    await source.sync();
    await Deno.link(path, join(folder, file)); // the folder is synced with the record
  }
  await writeDurably(
    join(folder, `${name}${RECORD_ENDING}`),
    (temporary) => Deno.writeTextFile(temporary, record),
  );
}

/** What an answer of a folder is, without its rows. */
export interface FoundAnswer {
  name: string;
  chunks: ChunkReference[];
  /** The agent that gave it. */
  reader: string;
  /** Digest of the policy that it was read under; null: the agent did not say. */
  policy: string | null;
}

/** The answers of a folder, by name; those left out whose files are not whole. */
export async function* listAnswers(folder: string): AsyncGenerator<FoundAnswer> {
  for (const name of await namesIn(folder)) {
    if (!name.endsWith(RECORD_ENDING)) continue;
    const answer = await readAnswer(folder, name);
    if (answer === null || !await hasFiles(folder, answer)) continue;
    const { chunks, host: reader, coverage: { policy = null } } = answer;
    yield { name, chunks, reader, policy };
  }
}

/** As it came from the agent, its files under further names in another folder; null: it went meanwhile. */
export async function restoredAnswer(
  name: string,
  { from, to }: { from: string; to: () => string },
): Promise<HostAnswer | null> {
  const kept = await readAnswer(from, name);
  if (kept === null) return null;
  const { chunks: _, parts, ...answer } = kept;
  const restored: HostAnswer["parts"] = [];
  for (const { table, part } of parts) {
    if (part.encoding === "text") {
      restored.push({ table, part });
      continue;
    }
    const file = join(to(), `kept-${part.file}`);
    if (!await isDone(Deno.link(join(from, part.file), file))) return null;
    restored.push({ table, part: { encoding: "parquet", file } });
  }
  return { ...answer, parts: restored };
}

/** Null: it is not there, or was written by another version. */
async function readAnswer(folder: string, name: string): Promise<KeptAnswer | null> {
  const reading = Deno.readTextFile(join(folder, name));
  if (!await isDone(reading)) return null;
  const parsed = AnswerRecord.safeParse(parseJson(await reading));
  return parsed.success ? parsed.data : null;
}

async function namesIn(folder: string): Promise<string[]> {
  const listing = Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return await isDone(listing) ? (await listing).toSorted() : [];
}

/** False: there is no such file or folder, for instance because it was forgotten. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function hasFiles(folder: string, { parts }: KeptAnswer): Promise<boolean> {
  for (const { part } of parts) {
    if (part.encoding === "text") continue;
    const size = await Deno.stat(join(folder, part.file)).then(({ size }) => size, () => null);
    if (size !== part.bytes) return false;
  }
  return true;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
