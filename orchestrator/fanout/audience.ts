/** Chooses whom to ask: the selected hosts that are there and can answer; the others are missing. */
import { LogvendError } from "../../protocol/errors.ts";
import { namedHosts, parseSelector } from "../../protocol/selector.ts";
import { HOST_TABLES } from "../../protocol/streams.ts";
import { counted } from "../../protocol/units.ts";
import { PLAN_VERSIONS } from "../../queries/plan/planner.ts";
import type { Fleet, Host } from "../fleet/fleet.ts";
import { silence } from "./coverage.ts";
import type { Missing } from "./coverage.ts";

export interface Audience {
  asked: Host[];
  missing: Missing[];
}

export interface AudienceRequest {
  fleet: Fleet;
  /** Selector text of the claims. */
  selector: string;
  /** Base tables of the query: hosts without such a stream have nothing to say. */
  tables: readonly string[];
  /** What hosts must know: plans of a version, or a command. */
  needs: { version: number } | { command: string };
  /** From when on rows are asked for: ISO 8601; null: all there ever were, or will be. */
  since: string | null;
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
  const asked: Host[] = [];
  const missing: Missing[] = named.filter((host) => request.fleet.get(host) === undefined)
    .map((host) => ({ host, kind: "unknown", reason: "never seen" }));
  const selected = request.fleet.select(selector);
  for (const candidate of selected) {
    const { host, streams } = candidate.presence;
    const lacks = request.tables.find((table) =>
      !HOST_TABLES.includes(table) && !streams.includes(table)
    );
    if (lacks !== undefined && !named.includes(host)) continue;
    if (candidate.retiredMs !== null && !wasThere(candidate, request.since)) continue;
    const obstacle = obstacleTo(candidate, lacks, request);
    if (obstacle === null) asked.push(candidate);
    else missing.push({ host, ...obstacle });
  }
  if (asked.length + missing.length === 0) throw nobodyToAsk(request, selected.length);
  return { asked, missing };
}

/** Whether a retired host was there in the asked range. */
function wasThere({ seenMs }: Host, since: string | null): boolean {
  return seenMs !== null && (since === null || seenMs > Date.parse(since));
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
  { fleet, selector, tables }: AudienceRequest,
  selectedCount: number,
): LogvendError {
  const known = fleet.list().length;
  const nobody = selector === "" ? "No host" : `No host that matches ${selector}`;
  const [table, ...others] = tables;
  const reason = selectedCount === 0
    ? `No host matches ${selector}: ${counted(known, "host")} ${known === 1 ? "is" : "are"} known`
    : others.length === 0
    ? `${nobody} has the table ${table}`
    : `${nobody} has all of the tables ${tables.join(", ")}`;
  return new LogvendError("unavailable", `${reason} (logvend hosts)`);
}
