/** `logvend archive erase`: rows go for good, from hosts and archives, after a typed confirmation. */
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import {
  concernsArchived,
  erasureText,
  fleetOf,
  verifyErasure,
} from "../../protocol/signing/erasure.ts";
import type { Erasure, ErasureRecord } from "../../protocol/signing/erasure.ts";
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { parseRange } from "../../protocol/range.ts";
import { HOST_TABLES, REJECTS } from "../../protocol/schema/streams.ts";
import { counted, parseDurationMs } from "../../protocol/units.ts";
import { signErasure } from "../access/sign.ts";
import { chunksOf, eraseArchives } from "../archive/erase.ts";
import type { ArchiveErased } from "../archive/erase.ts";
import { readOrchestratorConfig } from "../config.ts";
import { isNamed } from "../fanout/query_id.ts";
import { ProgressLine } from "../progress.ts";
import { checkCondition, openStores } from "./archive.ts";
import { listErasures, statusRecord, statusText, waitForHosts } from "./archive_erase_status.ts";
import type { ApiClient } from "./client.ts";
import { columnsNamed, countRows, meantTexts } from "./erase_preview.ts";
import { keyOf, selectorText } from "./question.ts";
import type { AudienceOptions } from "./question.ts";
import type { Terminal } from "./terminal.ts";

/** What is erased, and how it is confirmed. */
export interface EraseOptions extends AudienceOptions {
  config: string;
  stream: string;
  since?: string;
  until?: string;
  where?: string;
  dryRun?: true;
  confirm?: string;
  /** How long online hosts are waited for. */
  wait: string;
  /** Says how erasures go instead: of one, or of all. */
  status?: string | true;
  /** Goes on with one whose archives were not done to the end. */
  resume?: string;
  /** Of what comes of it. @default table */
  output?: "table" | "json";
}

export interface EraseCommand {
  options: EraseOptions;
  client: ApiClient;
  terminal: Terminal;
}

/** Returns the exit code: 75 when something is left to do. @throws {LogvendError} */
export async function eraseCommand(command: EraseCommand): Promise<number> {
  const { options, client, terminal } = command;
  if (options.status !== undefined) {
    const { status, output } = options;
    const statuses = status === true
      ? await client.erasures(terminal.signal)
      : [await client.erasure(status, terminal.signal)];
    return await listErasures(statuses, terminal, output);
  }
  if (options.resume !== undefined) {
    const { record } = await client.erasure(options.resume, terminal.signal);
    const erasure = await checked(command, record);
    if (isNamed(options.resume, erasure.id)) return await eraseEverywhere(command, erasure);
    throw new LogvendError(
      "unavailable",
      `The orchestrator has another erasure (${erasure.id}) for ${options.resume}: nothing is erased`,
    );
  }
  return await eraseNew(command);
}

/** Shows what would go, has it confirmed, and erases it. */
async function eraseNew(command: EraseCommand): Promise<number> {
  const { options, client, terminal } = command;
  const { stream, where = "" } = options;
  checkStream(stream);
  checkCondition(options.where);
  const range = rangeOf(options, terminal.now());
  const selector = selectorText(options);
  const key = await keyOf(options);
  const columns = await columnsNamed(command, { stream, where });
  const fleet = fleetOf(await readOrchestratorConfig(options.config));
  const asked = { fleet, stream, where, ...range, columns, selector };
  const texts = await meantTexts({ ...asked, now: new Date(terminal.now()).toISOString() });
  const unsigned = { ...asked, id: "", operator: "", issued_at_ms: 0, now: "", record: NONE };
  await using stores = await openStores(options);
  checkSelector(stores.all, unsigned);
  terminal.error(`${erasureText(unsigned)}, in the fleet ${fleet}`);
  await countRows(command, asked);
  const archives: { url: string; chunks: number | null }[] = [];
  for (const store of stores.all) archives.push(await chunksIn(store, unsigned, terminal));
  for (const line of warnings(stream, where, texts)) terminal.error(line);
  const phrase = `erase ${stream} ${range.since} ${range.until}`;
  if (options.dryRun) {
    await writeJson(command, { erasure: null, confirmation: phrase, archives });
    terminal.error(`nothing is erased; the confirmation is: ${phrase}`);
    return 0;
  }
  await confirm(options, phrase, terminal);
  const { record } = await signErasure({ ...asked, key, nowMs: terminal.now() });
  const { id } = await client.erase({ record, signal: terminal.signal });
  terminal.error(`erasure ${id}`);
  return await eraseEverywhere(command, await checked(command, record));
}

const NONE = { where: "", token: "" };

/** Says how many there are to look at; null: the archive is away. @throws {ObjectStoreError} */
async function chunksIn(store: ObjectStore, erasure: Erasure, terminal: Terminal) {
  const { url } = store;
  try {
    const chunks = await chunksOf(store, erasure, terminal.signal);
    const count = chunks.filter(({ isSuperseded }) => !isSuperseded).length;
    terminal.error(`${url}: ${counted(count, "chunk")} of that time to look at`);
    return { url, chunks: count };
  } catch (error) {
    terminal.signal.throwIfAborted();
    if (!(error instanceof ObjectStoreError) || error.code !== "unavailable") throw error;
    terminal.error(`${url} is away: ${error.message}`);
    return { url, chunks: null };
  }
}

/** @throws {LogvendError} usage, of tables that are no streams */
function checkStream(stream: string) {
  if (!HOST_TABLES.includes(stream)) return;
  const why = stream === REJECTS
    ? "they go with the lines of their streams"
    : "it holds no lines, and is no stream";
  throw new LogvendError("usage", `--stream ${stream}: ${why}`);
}

/** Both ends have to be given, and no row of the future goes. @throws {LogvendError} usage */
function rangeOf({ since, until }: EraseOptions, nowMs: number): { since: string; until: string } {
  if (since === undefined || until === undefined || since === "all") {
    throw new LogvendError(
      "usage",
      "Erasing needs an explicit range: --since and --until, e.g. --since 2026-11-22 --until 2026-11-23",
    );
  }
  const range = parseRange({ since, until }, nowMs);
  if (range.since === null || range.until === null) throw new Error("both are given");
  if (Date.parse(range.until) > nowMs) {
    throw new LogvendError(
      "usage",
      `--until ${until} is in the future: rows that are still to come cannot be erased`,
    );
  }
  return { since: range.since, until: range.until };
}

/** @throws {LogvendError} usage, where archives could not tell which chunks are meant */
function checkSelector(stores: readonly ObjectStore[], erasure: Erasure) {
  const place = { host: "any", region: "any" };
  if (stores.length === 0 || concernsArchived(erasure, place) !== null) return;
  throw new LogvendError(
    "usage",
    `Archives know host and region of their chunks alone, not what "${erasure.selector}" asks for: ` +
      "name hosts with --host, or regions with --region",
  );
}

function warnings(stream: string, where: string, texts: readonly string[]): string[] {
  const rejects = where === ""
    ? `rejected lines of ${stream} in the range go too`
    : texts.length === 0
    ? "rejected lines stay: the condition compares no column with a text that they could hold"
    : `rejected lines that hold ${texts.map((text) => `'${text}'`).join(" or ")} go too`;
  return [
    rejects,
    "Log files that agents read are not touched, nor what left logvend before: windows in sinks, " +
    "published and exported results.",
    "This cannot be undone.",
  ];
}

/** @throws {LogvendError} usage, for any other text */
async function confirm({ confirm: given }: EraseOptions, phrase: string, terminal: Terminal) {
  const typed = given ?? await terminal.readLine(`Type "${phrase}" to go on: `);
  if (typed?.trim() === phrase) return;
  throw new LogvendError(
    "usage",
    typed === null
      ? `Not confirmed, nothing is erased: there is no terminal; give --confirm "${phrase}"`
      : `Not confirmed, nothing is erased: wanted "${phrase}"`,
  );
}

/** What an orchestrator says of an erasure is believed as far as it is signed. */
async function checked({ options }: EraseCommand, record: ErasureRecord) {
  const config = await readOrchestratorConfig(options.config);
  return await verifyErasure(record, { fleet: fleetOf(config), eraseTrust: config.trust_erase });
}

/** Hosts first: what they erase they do not archive any more. */
async function eraseEverywhere(command: EraseCommand, erasure: Erasure): Promise<number> {
  const { options, client, terminal } = command;
  const waitMs = parseDurationMs(options.wait, "--wait");
  const status = await waitForHosts({ client, terminal, id: erasure.id, waitMs });
  await using stores = await openStores(options);
  checkSelector(stores.all, erasure);
  const progress = new ProgressLine(terminal.progressOutput, true);
  const onProgress = ({ looked, rows }: ArchiveErased, total: number) =>
    progress.show(`archive ${looked}/${counted(total, "chunk")} · ${counted(rows, "row")} erased`);
  const archived = await eraseArchives(stores.all, { erasure, onProgress }, terminal.signal)
    .finally(() => progress.clear())
    .catch((error) => {
      terminal.error(`the archives are not done: logvend archive erase --resume ${erasure.id}`);
      throw error;
    });
  terminal.error(statusText(status));
  if (stores.all.length > 0) terminal.error(archivedText(archived));
  for (const { key, reason } of archived.failures) terminal.error(`  ${key}: ${reason}`);
  for (const { url, reason } of archived.undone) terminal.error(`${url} is not done: ${reason}`);
  if (stores.all.length > 0) await forgetRead(command, erasure);
  const isDone = status.hosts.every(({ state }) => state === "done");
  await writeJson(command, { ...statusRecord(status), archives: archived });
  const isLeft = archived.failures.length > 0 || archived.undone.length > 0;
  if (isLeft) {
    terminal.error(`to go on with archives: logvend archive erase --resume ${erasure.id}`);
  }
  if (!isDone) {
    terminal.error(`how hosts go on: logvend archive erase --status ${erasure.id}`);
  }
  return isDone && !isLeft ? 0 : EXIT_CODES.partial;
}

/** With `-o json`; what people read goes to stderr in any case. */
async function writeJson({ options, terminal }: EraseCommand, value: unknown) {
  if (options.output === "json") await terminal.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What questions have read in the archives meanwhile may have such rows too. @throws {LogvendError} */
async function forgetRead({ client, terminal }: EraseCommand, { id, record }: Erasure) {
  try {
    await client.erase({ record, signal: terminal.signal });
  } catch (error) {
    terminal.error(
      "the orchestrator may keep rows that were read meanwhile, a day at most: " +
        `logvend archive erase --resume ${id}`,
    );
    throw error;
  }
}

function archivedText({ looked, chunks, rows, leftovers, failures }: ArchiveErased): string {
  // Hosts are often before the archives: they have put the new chunk by then, and the old one goes.
  const more = leftovers === 0
    ? ""
    : `; ${
      counted(leftovers, "leftover")
    } removed (chunks that their hosts had replaced, old versions)`;
  const failed = failures.length === 0 ? "" : `; ${failures.length} could not be done:`;
  return `archives: ${counted(rows, "row")} erased from ${counted(chunks, "chunk")} of ` +
    `${looked}${more}${failed}`;
}
