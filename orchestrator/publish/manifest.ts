/** The manifest of a published result: what was asked, which files are the answer, what it covers. */
import { z } from "zod";
import { Range, Source } from "../../protocol/signing/claims.ts";
import { Column } from "../../protocol/wire/messages.ts";
import { Coverage } from "../fanout/coverage.ts";

/** Engines that read a folder leave out names that begin like this. */
export const MANIFEST_KEY = "_manifest.json";

export const PublishedFile = z.object({
  /** Beside the manifest. */
  key: z.string(),
  rows: z.number().int(),
  bytes: z.number().int(),
  sha256: z.string(),
});
export type PublishedFile = z.infer<typeof PublishedFile>;

/** What is said of a result beside its files. Times are ISO 8601, UTC. */
export const ResultFacts = z.object({
  query_id: z.string(),
  /** What the operator signed, and the public half of the key. */
  id: z.uuid(),
  operator: z.string(),
  sql: z.string(),
  selector: z.string(),
  source: Source,
  /** As it was asked for. */
  asked: Range,
  /** What the tables were cut to. */
  range: z.object({ since: z.string().nullable(), until: z.string().nullable() }),
  /** What now() stood for. */
  now: z.iso.datetime(),
  mode: z.string(),
  elapsed_ms: z.number(),
  /** Of the files. */
  columns: z.array(Column),
  /** Whether nobody is missing from it. */
  complete: z.boolean(),
  coverage: Coverage,
});
export type ResultFacts = z.infer<typeof ResultFacts>;

export const ResultManifest = ResultFacts.extend({
  kind: z.literal("logvend result"),
  version: z.literal(1),
  published_at: z.iso.datetime(),
  rows: z.number().int(),
  bytes: z.number().int(),
  /** In the order of their rows. */
  files: z.array(PublishedFile),
});
export type ResultManifest = z.infer<typeof ResultManifest>;

/** The whole manifest. */
export function manifestOf(
  facts: ResultFacts,
  files: readonly PublishedFile[],
  nowMs: number,
): ResultManifest {
  return {
    kind: "logvend result",
    version: 1,
    published_at: new Date(nowMs).toISOString(),
    ...facts,
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    files: [...files],
  };
}
