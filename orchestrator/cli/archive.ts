/** `logvend archive ls|stat|verify|policy`: what lies in object stores, read from them directly. */
import type { ArchiveStore } from "../../protocol/archive/archive_config.ts";
import { parseArchiveUrl } from "../../protocol/archive/archive_config.ts";
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { HostName } from "../../protocol/names.ts";
import { parseRange } from "../../protocol/range.ts";
import { CHUNK_LABELS, labelsBeside, parseSelector } from "../../protocol/selector/selector.ts";
import { counted, formatBytes } from "../../protocol/units.ts";
import { renderTable } from "../../queries/answer/table.ts";
import { listArchive } from "../archive/archived_chunks.ts";
import type { ChunkFilter } from "../archive/archived_chunks.ts";
import { agentPolicy, lifecycle } from "../archive/policy.ts";
import { summarize } from "../archive/summary.ts";
import type { ArchiveSummary, ChunkSum } from "../archive/summary.ts";
import { verifyChunk } from "../archive/verify.ts";
import { readOrchestratorConfig } from "../config.ts";
import { AwayArchives } from "./away_archives.ts";
import { selectorText } from "./question.ts";
import type { Terminal } from "./terminal.ts";

/** What all of them take. */
export interface ArchiveOptions {
  config: string;
  stream?: string;
  /** Selector text. */
  on?: string;
  region?: string;
  host?: string;
  since: string;
  until?: string;
  output: "table" | "json";
}

/**
 * `archive ls`: by day; `archive stat`: in all.
 * @returns the exit code: 75 when one of several archives does not answer
 * @throws {LogvendError}
 */
export async function listCommand(
  options: ArchiveOptions,
  terminal: Terminal,
  byDay: boolean,
): Promise<number> {
  await using stores = await openArchives(options);
  const away = new AwayArchives(stores.all, terminal);
  const filter = filterOf(options, terminal);
  const summary = await summarize(
    listArchive(stores.all, filter, terminal.signal, away.note),
    byDay,
  );
  const exitCode = away.count === 0 ? 0 : EXIT_CODES.partial;
  if (options.output === "json") {
    await terminal.write(`${JSON.stringify(summary, null, 2)}\n`);
    return exitCode;
  }
  await terminal.write(
    summary.sums.length === 0 ? "Nothing is archived of that\n" : renderTable(
      columnsOf(byDay),
      summary.sums.map(shown),
      terminal.tableLook,
    ),
  );
  sayStrangers(summary, terminal);
  return exitCode;
}

const SUPERSEDED =
  "it holds rows that were erased; it does not count, and goes when they are erased again";

/** @returns the exit code: 75 when something is wrong @throws {LogvendError} */
export async function verifyCommand(
  options: ArchiveOptions & { content?: boolean },
  terminal: Terminal,
): Promise<number> {
  await using stores = await openArchives(options);
  const verified: Verified = { wrong: [], chunks: 0, rows: 0, bytes: 0, without_checksum: 0 };
  const content = options.content ?? false;
  const isJson = options.output === "json";
  const filter = { ...filterOf(options, terminal), isWhole: true };
  const away = new AwayArchives(stores.all, terminal);
  const wrong = async (key: string, problem: string) => {
    verified.wrong.push({ key, problem });
    if (!isJson) await terminal.write(`${key}: ${problem}\n`);
  };
  for await (const chunk of listArchive(stores.all, filter, terminal.signal, away.note)) {
    if (chunk.place === null || chunk.isSuperseded) {
      await wrong(chunk.object.key, chunk.place === null ? "no chunk of ours" : SUPERSEDED);
      continue;
    }
    const { key, rows, bytes, problem, hasChecksum } = await verifyChunk(
      chunk,
      { content },
      terminal.signal,
    );
    verified.chunks++;
    verified.rows += rows;
    verified.bytes += bytes;
    if (!hasChecksum) verified.without_checksum++;
    if (problem !== null) await wrong(key, problem);
  }
  if (isJson) await terminal.write(`${JSON.stringify({ ...verified, content }, null, 2)}\n`);
  terminal.error(verifiedText(verified, content));
  return verified.wrong.length === 0 && away.count === 0 ? 0 : EXIT_CODES.partial;
}

/** What `verify` has found. */
interface Verified {
  wrong: { key: string; problem: string }[];
  chunks: number;
  rows: number;
  bytes: number;
  without_checksum: number;
}

function verifiedText({ wrong, without_checksum: bareCount, ...sum }: Verified, content: boolean) {
  const read = content ? "checksums and footers" : "footers (--content reads every byte)";
  const bare = content && bareCount > 0 ? `, ${bareCount} without a checksum` : "";
  const amount = `${counted(sum.chunks, "chunk")}, ${counted(sum.rows, "row")}`;
  return `${wrong.length === 0 ? "all right" : `${wrong.length} wrong`}: ${amount}, ` +
    `${formatBytes(sum.bytes)}${bare}; read ${read}`;
}

/** `archive policy`. @throws {LogvendError} usage, of what is no bucket */
export async function policyCommand(
  { url, region, host, only }: { url: string; region?: string; host?: string; only?: string },
  terminal: Terminal,
): Promise<void> {
  const place = parseArchiveUrl(url);
  if (place?.kind !== "s3") {
    throw new LogvendError("usage", `${url}: wanted s3://BUCKET/PREFIX; folders need no policy`);
  }
  const request = { ...place, region: named("region", region), host: named("host", host) };
  const both = { policy: agentPolicy(request), lifecycle: lifecycle(request) };
  const shown = only === "policy" ? both.policy : only === "lifecycle" ? both.lifecycle : both;
  await terminal.write(`${JSON.stringify(shown, null, 2)}\n`);
}

/** A policy takes `*` and `?` for any text: what is no name would be rights for others. */
function named(option: "host" | "region", text: string | undefined): string | null {
  const name = HostName.optional().safeParse(text);
  if (name.success) return name.data ?? null;
  const wanted = name.error.issues[0]?.message;
  throw new LogvendError("usage", `--${option} ${text}: wanted one name, ${wanted}`);
}

/** The archives of a configuration. @throws {LogvendError} bad_config without any */
export async function openArchives({ config }: { config: string }) {
  const stores = await openStores({ config });
  if (stores.all.length > 0) return stores;
  throw new LogvendError(
    "bad_config",
    `${config} names no archive: add archives: [ { url: "s3://BUCKET/PREFIX" } ]`,
  );
}

/** The same, but that there may be none. @throws {LogvendError} bad_config */
export async function openStores({ config }: { config: string }) {
  const { archives } = await readOrchestratorConfig(config);
  const stack = new AsyncDisposableStack();
  const all: ObjectStore[] = [];
  for (const archive of archives satisfies ArchiveStore[]) {
    all.push(stack.use(await openObjectStore(archive, { use: "operator" })));
  }
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A variable that is empty must not mean every row. @throws {LogvendError} usage */
export function checkCondition(where: string | undefined) {
  if (where === undefined || where.trim() !== "") return;
  throw new LogvendError("usage", "--where is empty: leave it out where every row is meant");
}

/** Which chunks are meant. @throws {LogvendError} usage */
export function filterOf(options: Omit<ArchiveOptions, "output">, terminal: Terminal): ChunkFilter {
  const { stream, since, until } = options;
  const selector = parseSelector(selectorText(options));
  const others = labelsBeside(selector, CHUNK_LABELS);
  if (others.length > 0) {
    throw new LogvendError(
      "usage",
      `The archive knows host and region of its chunks, not ${others.join(", ")}: select by these`,
    );
  }
  return {
    stream,
    selector,
    range: parseRange({ since, until }, terminal.now()),
  };
}

function columnsOf(byDay: boolean) {
  const names = ["stream", "region", ...(byDay ? ["date"] : []), "hosts", "chunks", "bytes"];
  const numbers = new Set(["hosts", "chunks"]);
  return [...names, "first_hour", "last_hour"]
    .map((name) => ({ name, type: numbers.has(name) ? "BIGINT" : "VARCHAR" }));
}

function shown(sum: ChunkSum) {
  return { ...sum, bytes: formatBytes(sum.bytes) };
}

function sayStrangers({ strangers: { count, examples } }: ArchiveSummary, terminal: Terminal) {
  if (count === 0) return;
  terminal.error(`${counted(count, "object")} that no agent of ours wrote, left out:`);
  for (const example of examples) terminal.error(`  ${example}`);
}
