/** Chooses whom to ask: the selected hosts that are there and can answer; the others are missing. */
import { LogvendError } from "../../protocol/errors.ts";
import { namedHosts, parseSelector } from "../../protocol/selector.ts";
import { HOST_TABLES } from "../../protocol/streams.ts";
import { counted } from "../../protocol/units.ts";
import { PLAN_VERSION } from "../../queries/plan/planner.ts";
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
  nowMs: number;
  /** What hosts are to do, if it is not to answer a query. */
  command?: string;
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
    const obstacle = obstacleTo(candidate, lacks, request);
    if (obstacle === null) asked.push(candidate);
    else missing.push({ host, ...obstacle });
  }
  if (asked.length + missing.length === 0) throw nobodyToAsk(request, selected.length);
  return { asked, missing };
}

function obstacleTo(
  { presence, state, seenMs }: Host,
  lacks: string | undefined,
  { nowMs, command }: AudienceRequest,
): Omit<Missing, "host"> | null {
  if (lacks !== undefined) return { kind: "refused", reason: `has no stream "${lacks}"` };
  if (state === "offline") {
    return {
      kind: "offline",
      reason: silence(seenMs, nowMs),
      ...(seenMs === null ? {} : { since: new Date(seenMs).toISOString() }),
    };
  }
  if (command !== undefined) {
    if (presence.commands.includes(command)) return null;
    return { kind: "refused", reason: `agent ${presence.version} cannot ${command}: upgrade it` };
  }
  if (!presence.plan_versions.includes(PLAN_VERSION)) {
    return {
      kind: "refused",
      reason: `agent ${presence.version} cannot run plan version ${PLAN_VERSION}`,
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
