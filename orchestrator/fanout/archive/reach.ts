/** Up to when hosts have archived what a question to the archive alone asks for. */
import { endOf, hoursOf } from "../../../protocol/archive/archived_hours.ts";
import type { HourRun } from "../../../protocol/archive/archived_hours.ts";
import { parseSelector } from "../../../protocol/selector/selector.ts";
import type { QueryClaims } from "../../../protocol/signing/claims.ts";
import { HOST_TABLES } from "../../../protocol/schema/streams.ts";
import { HOUR_SPANS_MAX } from "../../../protocol/wire/messages.ts";
import type { ChunkCatalog, Read } from "../../fleet/chunk_catalog.ts";
import type { Fleet, Host } from "../../fleet/fleet.ts";
import type { ArchivedTo } from "../coverage.ts";
import { lackingHours } from "./hours.ts";
import type { ArchiveList } from "./archive_work.ts";

export interface ReachRequest {
  fleet: Fleet;
  catalog: ChunkCatalog;
  claims: QueryClaims;
  read: Read;
  nowMs: number;
  list: ArchiveList;
  /** Of these the coverage says more already. */
  isMissing: ReadonlySet<string>;
}

/**
 * Hosts of which the archive has not all that is asked, by its list and by what they have said last:
 * nobody is asked for it.
 */
export function reaches(request: ReachRequest): ArchivedTo[] {
  const { fleet, list, isMissing } = request;
  const byHost = Map.groupBy(list.hours, ({ host }) => host);
  // Older agents tell no hours: of their chunks alone nobody can say how far they go.
  const isUntold = new Set(
    list.chunks.map(({ place }) => place.host).filter((host) => !byHost.has(host)),
  );
  const hosts = new Set([...byHost.keys(), ...heldBack(request)]);
  return [...hosts].filter((host) => !isMissing.has(host) && !isUntold.has(host))
    .flatMap((host) => reachOf(request, fleet.get(host), { host, own: byHost.get(host) ?? [] }));
}

/** Hosts that are meant, and may hold something of what is asked. */
function heldBack({ fleet, catalog, claims, read }: ReachRequest): string[] {
  return fleet.select(parseSelector(claims.selector))
    .filter(({ presence: { streams } }) =>
      read.tables.every((table) => HOST_TABLES.includes(table) || streams.includes(table))
    )
    .filter(({ state, seenMs, holdings, presence: { host } }) =>
      state === "online" || seenMs === null
        ? catalog.mayHold(host, holdings, read)
        : catalog.mayHaveHeld(host, seenMs, read)
    )
    .map(({ presence }) => presence.host);
}

/** None: all of it is archived. */
function reachOf(
  { catalog, read, nowMs }: ReachRequest,
  known: Host | undefined,
  { host, own }: { host: string; own: readonly HourRun[] },
): ArchivedTo[] {
  const endMs = read.until === null ? nowMs : Math.min(nowMs, Date.parse(read.until));
  const sealed = catalog.hours(host, read);
  const lacks = sealed === null ? [] : lackingHours(hoursOf(own), sealed);
  const hasGone = known?.state === "offline" && known.holdings !== null;
  const saidMs = catalog.archivedToMs(host, hasGone ? known.seenMs : null);
  const untilMs = Math.max(endOf(own) ?? -Infinity, saidMs ?? -Infinity);
  if (untilMs >= endMs && lacks.length === 0) return [];
  const isBefore = untilMs <= (read.since === null ? -Infinity : Date.parse(read.since));
  return [{
    host,
    until: isBefore ? null : new Date(Math.min(untilMs, endMs)).toISOString(),
    ...(lacks.length === 0 ? {} : { lacks: lacks.slice(0, HOUR_SPANS_MAX) }),
  }];
}
