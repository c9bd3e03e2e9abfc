/** `logvend query --publish URL`: the answer as Parquet files in an object store, with a manifest. */
import { createReadStream } from "node:fs";
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { counted, formatBytes } from "../../protocol/units.ts";
import { readOrchestratorConfig } from "../config.ts";
import { ProgressLine } from "../progress.ts";
import { MANIFEST_KEY } from "../publish/manifest.ts";
import type { ResultFacts } from "../publish/manifest.ts";
import { parquetColumns, parquetParts, PART_BYTES_MAX } from "../publish/parquet_parts.ts";
import { Publication } from "../publish/publication.ts";
import { openPublishStore } from "../publish/publish_store.ts";
import { ask } from "./ask.ts";
import type { Answered, QueryCommand } from "./ask.ts";
import { keyOf } from "./question.ts";
import { Spool } from "./spool.ts";

const CONFIG = "orchestrator.yaml";

export interface PublishCommand extends QueryCommand {
  url: string;
  /** Of one file. @default 256 MiB */
  partBytesMax?: number;
}

/**
 * Claims the place, asks, and publishes the answer, unless hosts are missing from it.
 * @param summarize says what the answer covers; returns the exit code
 * @returns the exit code
 * @throws {LogvendError} of the question or the store
 */
export async function publishAnswer(
  command: PublishCommand,
  summarize: (command: QueryCommand, answered: Answered) => number,
): Promise<number> {
  const { url, options, terminal } = command;
  const known = await knownStores(options.config);
  await using store = await openPublishStore(url, known);
  await using publication = await Publication.begin({
    store,
    replace: options.replace === true,
    now: () => terminal.now(),
    signal: terminal.signal,
    wait: (ms) => terminal.sleep(ms),
  });
  await using spool = await Spool.open();
  const answered = await ask(command, spool);
  const code = summarize(command, answered);
  if (code !== 0) {
    terminal.error("not published: hosts are missing from it; --allow-partial publishes it so");
    return code;
  }
  try {
    await publish({ ...command, publication, store }, spool, answered);
  } catch (error) {
    if (terminal.signal.aborted) throw error; // nobody wants it any more
    spool.keep();
    terminal.error(`the answer is kept in ${spool.path}`);
    throw error;
  }
  return 0;
}

/** What orchestrator.yaml says; it need not be there unless it is named. */
async function knownStores(config: string | undefined) {
  if (config === undefined && !await isThere(CONFIG)) return { publish: [], archives: [] };
  return await readOrchestratorConfig(config ?? CONFIG);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false); // what cannot be read is not used
}

interface Publishing extends PublishCommand {
  publication: Publication;
  store: ObjectStore;
}

async function publish(publishing: Publishing, spool: Spool, answered: Answered) {
  const { publication, store, options, terminal, partBytesMax = PART_BYTES_MAX } = publishing;
  const progress = new ProgressLine(terminal.progressOutput, !options.quiet);
  const cut = { path: spool.path, folder: spool.folder, bytesMax: partBytesMax };
  let byteCount = 0;
  try {
    for await (const { path, rows } of parquetParts(cut)) {
      const { size: bytes } = await Deno.stat(path);
      progress.show(`${formatBytes(byteCount)} published`);
      await publication.add({ path, rows, bytes, sha256: await hashOf(path, terminal.signal) });
      byteCount += bytes;
    }
  } finally {
    progress.clear();
  }
  const { publicKey } = await keyOf(options);
  const facts = factsOf(answered, {
    operator: publicKey,
    columns: await parquetColumns(spool.path),
  });
  const { manifest, left } = await publication.finish(facts);
  const { rows, files, bytes } = manifest;
  const url = `${store.url}/${MANIFEST_KEY}`;
  await terminal.write(
    options.output === "json" ? `${JSON.stringify(manifest, null, 2)}\n` : `${url}\n`,
  );
  if (left.length > 0) {
    terminal.error(`published, but these could not be removed: ${left.slice(0, 3).join(", ")}`);
  }
  if (options.quiet) return;
  terminal.error(
    `published ${counted(rows, "row")} in ${counted(files.length, "file")}, ${formatBytes(bytes)}`,
  );
}

async function hashOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest("hex");
}

function factsOf(
  { question: { sql, claims }, end: { type: _, ...end } }: Answered,
  more: Pick<ResultFacts, "operator" | "columns">,
): ResultFacts {
  const { id, selector, source = "live", range: asked, now } = claims;
  const complete = end.coverage.missing.length === 0;
  return { id, sql, selector, source, asked, now, complete, ...end, ...more };
}
