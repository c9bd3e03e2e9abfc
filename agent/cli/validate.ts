/** `logvend-agent validate`: is this configuration right, and what would it read? */
import { counted, formatDurationMs } from "../../protocol/units.ts";
import { openObjectStore } from "../../protocol/archive/open_object_store.ts";
import { parseArchiveUrl } from "../../protocol/archive/archive_config.ts";
import type { AgentArchive } from "../../protocol/archive/archive_config.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { openGeo } from "../geo/open_geo.ts";
import { addressField } from "../geo/geo_shape.ts";
import { readAgentConfig } from "../config.ts";
import type { AgentConfig } from "../config.ts";
import { plansOf } from "../open_windows.ts";
import { unreachable } from "../window/reach.ts";
import { windowsOf } from "../window_config.ts";
import type { StreamConfig } from "../stream_config.ts";
import { discover } from "../ingest/discover.ts";

/** How long an archive may take to answer. */
const ARCHIVE_MS = 15_000;

export async function validateCommand(configPath: string): Promise<void> {
  const config = await readAgentConfig(configPath);
  await using geo = await openGeo(config);
  console.log(`${configPath} is right: host ${config.host} in ${config.region}`);
  for (const stream of config.streams) {
    const found = await discover(stream.files, new AbortController().signal);
    console.log(`stream ${stream.name}: ${counted(found.files.length, "file")} now`);
    for (const input of inputsOf(stream)) console.log(`  ${input}`);
    for (const rule of rulesOf(stream)) console.log(`  ${rule}`);
    const field = addressField(stream);
    if (geo !== null && field !== null) {
      console.log(`  geo_country, geo_city: where ${field} is, by ${geo.title}`);
    }
    for (const { path } of found.files) console.log(`  ${path}`);
    for (const [path, reason] of found.refused) console.log(`  ${path}: ${reason}`);
    for (const pattern of found.unmatched) console.log(`  ${pattern}: no file matches`);
    for (const { path } of found.packed) console.log(`  ${path}: packed, read once`);
  }
  if (config.archive !== undefined) await tryArchive(config.archive);
  await sayWindows(config);
}

/** @throws {LogvendError} when it does not answer, or not to these credentials */
async function tryArchive(archive: AgentArchive) {
  await using store = await openObjectStore(archive);
  const place = parseArchiveUrl(archive.url);
  if (place?.kind === "folder" && await isMissing(place.path)) {
    console.log(`archive ${store.url}: no such folder yet, the first upload makes it`);
    return;
  }
  for await (const _ of store.list("", AbortSignal.timeout(ARCHIVE_MS))) break;
  console.log(`archive ${store.url}: can be listed`);
}

async function isMissing(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

/** @throws {LogvendError} unavailable, when a sink is not where it should be */
async function sayWindows(config: AgentConfig) {
  const windows = windowsOf(config);
  if (windows === null) return;
  const every = formatDurationMs(windows.every);
  for (const { stream, lists, own } of await plansOf(config)) {
    const groups = [...lists, ...own].map(({ group }) => group);
    if (groups.length > 0) console.log(`windows of ${every} of ${stream}: ${groups.join(", ")}`);
  }
  for (const { name, type, select, schema } of config.sinks) {
    const what = select === undefined ? `windows, as ${schema} has them` : `rows: ${select}`;
    console.log(`sink ${name} (${type}): ${what}`);
  }
  const problems: string[] = [];
  for (const sink of config.sinks) {
    const problem = await unreachable(sink);
    if (problem !== null) problems.push(`sink ${sink.name}: ${problem}`);
  }
  if (problems.length === 0) return;
  const advice = "events wait in the queue until it is there; is the address right?";
  throw new LogvendError("unavailable", `${problems.join("\n")}\n  ${advice}`);
}

function inputsOf({ listen, stdin }: StreamConfig): string[] {
  const listens = (["udp", "tcp"] as const).flatMap((transport) => {
    const address = listen?.[transport];
    return address === undefined
      ? []
      : [`listens on ${transport} ${address.hostname}:${address.port}`];
  });
  return [...listens, ...(stdin ? ["reads standard input"] : [])];
}

function rulesOf({ multiline, redact, drop }: StreamConfig): string[] {
  return [
    ...(multiline === undefined ? [] : [`records begin with ${multiline.start}`]),
    ...redact.map(({ field, pattern, by }) => `${by} of ${field ?? `what matches ${pattern}`}`),
    ...drop.map(({ name, when }) => `dropped as ${name}: ${when}`),
  ];
}
