/** Chooses whom to ask: the selected hosts that are there and can answer; the others are missing. */
import { LogvendError } from "../../protocol/errors.ts";
import { HEARTBEAT_MS } from "../../protocol/wire/messages.ts";
import { namedHosts, parseSelector } from "../../protocol/selector/selector.ts";
import { HOST_TABLES } from "../../protocol/schema/streams.ts";
import { counted } from "../../protocol/units.ts";
import { PLAN_VERSIONS } from "../../queries/plan/planner.ts";
import type { Reach } from "../../queries/plan/reach.ts";
import type { ChunkCatalog, Read } from "../fleet/chunk_catalog.ts";
import type { Fleet, Host } from "../fleet/fleet.ts";
import { silence } from "./coverage.ts";
import type { Missing } from "./coverage.ts";

/**
 * What a host says of itself holds for this long: in time it would have said what is new. A little
 * more than a heartbeat; for hosts that were silent for longer it is asked what they hold.
 */
const CURRENT_MS = 1.5 * HEARTBEAT_MS;

export interface Audience {
  asked: Host[];
  /** Hosts that answer without being asked: they hold nothing of what is read. */
  pruned: string[];
  missing: Missing[];
}

export interface AudienceRequest {
  fleet: Fleet;
  catalog: ChunkCatalog;
  /** Selector text of the claims. */
  selector: string;
  /** Its tables: hosts without such a stream have nothing to say. */
  read: Read;
  /** Values of `host` and `region` that matter. */
  reach: Pick<Reach, "hosts" | "regions">;
  /** What hosts must know: plans of a version, or a command. */
  needs: { version: number } | { command: string };
  nowMs: number;
}

/** The newest version of plans that all selected hosts know which are there and know any of ours. */
export function planVersion(fleet: Fleet, selector: string): number {
  const known = fleet.select(parseSelector(selector))
    .filter(({ state }) => state === "online")
    .map(({ presence }) => PLAN_VERSIONS.filter((one) => presence.plan_versions.includes(one)))
    .filter((versions) => versions.length > 0);
  const common = PLAN_VERSIONS.filter((one) => known.every((versions) => versions.includes(one)));
  return Math.max(...common.length > 0 ? common : PLAN_VERSIONS);
}

/** @throws {LogvendError} unavailable, when there is nobody to ask or to miss */
export function chooseAudience(request: AudienceRequest): Audience {
  const selector = parseSelector(request.selector);
  const named = namedHosts(selector);
  const missing: Missing[] = named.filter((host) => request.fleet.get(host) === undefined)
    .map((host) => ({ host, kind: "unknown", reason: "never seen" }));
  const audience: Audience = { asked: [], pruned: [], missing };
  const selected = request.fleet.select(selector);
  for (const candidate of selected) {
    const { host, streams } = candidate.presence;
    const isNamed = named.includes(host);
    const lacks = request.read.tables.find((table) =>
      !HOST_TABLES.includes(table) && !streams.includes(table)
    );
    if (lacks !== undefined && !isNamed) continue;
    if (!isNamed && isOutOfTime(candidate, request)) continue;
    if (lacks === undefined && isPruned(candidate, request)) {
      audience.pruned.push(host);
      continue;
    }
    const obstacle = obstacleTo(candidate, lacks, request);
    if (obstacle === null) audience.asked.push(candidate);
    else missing.push({ host, ...obstacle });
  }
  const { asked, pruned } = audience;
  if (asked.length + pruned.length + missing.length === 0) {
    throw nobodyToAsk(request, selected);
  }
  return audience;
}

/** Whether a host is retired, and held nothing of what is read while it was there. */
function isOutOfTime(
  { presence: { host }, retiredMs, seenMs }: Host,
  { catalog, read, needs }: AudienceRequest,
): boolean {
  if (retiredMs === null) return false;
  return "command" in needs || !catalog.mayHaveHeld(host, seenMs ?? retiredMs, read);
}

/** Whether no row of a host can match. When in doubt it is asked. */
function isPruned(candidate: Host, request: AudienceRequest): boolean {
  const { presence: { host, region }, state, seenMs, holdings } = candidate;
  const { catalog, read, reach: { hosts, regions }, needs, nowMs } = request;
  if ("command" in needs || read.tables.length === 0) return false;
  if (regions?.includes(region) === false) return true;
  // What a host says as it leaves stays true; one that was cut off may have read on.
  const isCurrent = state === "offline" || nowMs - (seenMs ?? 0) < CURRENT_MS;
  const version = isCurrent ? holdings : null;
  if (hosts?.includes(host) === false && catalog.hasOwnRows(host, version)) return true;
  return !catalog.mayHold(host, version, read);
}

function obstacleTo(
  { presence, state, seenMs, retiredMs }: Host,
  lacks: string | undefined,
  { needs, nowMs }: AudienceRequest,
): Omit<Missing, "host"> | null {
  if (lacks !== undefined) return { kind: "refused", reason: `has no stream "${lacks}"` };
  if (retiredMs !== null) {
    return { kind: "retired", reason: `${silence(seenMs, nowMs)}: what it had is not here` };
  }
  if (state === "offline") {
    return {
      kind: "offline",
      reason: silence(seenMs, nowMs),
      ...(seenMs === null ? {} : { since: new Date(seenMs).toISOString() }),
    };
  }
  if ("command" in needs) {
    const { command } = needs;
    if (presence.commands.includes(command)) return null;
    return { kind: "refused", reason: `agent ${presence.version} cannot ${command}: upgrade it` };
  }
  const { version } = needs;
  if (!presence.plan_versions.includes(version)) {
    return {
      kind: "refused",
      reason: `agent ${presence.version} cannot run plan version ${version}`,
    };
  }
  return null;
}

function nobodyToAsk(
  { fleet, selector, read: { tables } }: AudienceRequest,
  selected: readonly Host[],
): LogvendError {
  const known = fleet.list().length;
  const nobody = selector === "" ? "No host" : `No host that matches ${selector}`;
  const [table, ...others] = tables;
  const retired = selected.filter(({ retiredMs }) => retiredMs !== null).length;
  if (retired > 0) {
    const reason = `${nobody} is left: ${counted(retired, "host")} retired before this range`;
    return new LogvendError("unavailable", `${reason} (logvend hosts --retired)`);
  }
  const reason = selected.length === 0
    ? `No host matches ${selector}: ${counted(known, "host")} ${known === 1 ? "is" : "are"} known`
    : others.length === 0
    ? `${nobody} has the table ${table}`
    : `${nobody} has all of the tables ${tables.join(", ")}`;
  return new LogvendError("unavailable", `${reason} (logvend hosts)`);
}
