/** Up to when hosts have archived what is asked for, and how that is said. */
import { endOf, hoursOf } from "../../../protocol/archive/archived_hours.ts";
import type { HourRun } from "../../../protocol/archive/archived_hours.ts";
import { parseSelector } from "../../../protocol/selector/selector.ts";
import type { QueryClaims } from "../../../protocol/signing/claims.ts";
import { HOST_TABLES } from "../../../protocol/schema/streams.ts";
import type { HourSpan } from "../../../protocol/wire/hour_spans.ts";
import { HOUR_SPANS_MAX } from "../../../protocol/wire/messages.ts";
import type { ChunkCatalog, Read } from "../../fleet/chunk_catalog.ts";
import type { Fleet, Host } from "../../fleet/fleet.ts";
import { clockText } from "../../clock_text.ts";
import type { ArchivedTo, Missing } from "../coverage.ts";
import { lackingHours, spansText } from "./hours.ts";
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
    .flatMap((host) => reachedBy(request, fleet.get(host), { host, own: byHost.get(host) ?? [] }));
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
function reachedBy(
  { catalog, read, nowMs }: ReachRequest,
  known: Host | undefined,
  of: { host: string; own: readonly HourRun[] },
): ArchivedTo[] {
  const { untilMs, lacks, isWhole } = reachOf({ catalog, read, nowMs }, known, of);
  if (isWhole) return [];
  const isBefore = untilMs <= (read.since === null ? -Infinity : Date.parse(read.since));
  return [{
    host: of.host,
    until: isBefore ? null : new Date(untilMs).toISOString(),
    ...(lacks.length === 0 ? {} : { lacks: lacks.slice(0, HOUR_SPANS_MAX) }),
  }];
}

/** How much the archive has of what is asked of a host. */
export interface Reach {
  /** Within what is asked; -Infinity: nothing is known to be there. */
  untilMs: number;
  /** Of what is asked. */
  endMs: number;
  /** Hours before of which the host had sealed more. */
  lacks: HourSpan[];
  isWhole: boolean;
}

/** By the chunks that there are, and by what the host has said last. */
export function reachOf(
  { catalog, read, nowMs }: Pick<ReachRequest, "catalog" | "read" | "nowMs">,
  known: Host | undefined,
  { host, own }: { host: string; own: readonly HourRun[] },
): Reach {
  const endMs = read.until === null ? nowMs : Math.min(nowMs, Date.parse(read.until));
  const sealed = catalog.hours(host, read);
  const lacks = sealed === null ? [] : lackingHours(hoursOf(own), sealed);
  const hasGone = known?.state === "offline" && known.holdings !== null;
  const saidMs = catalog.archivedToMs(host, hasGone ? known.seenMs : null);
  const untilMs = Math.min(endMs, Math.max(endOf(own) ?? -Infinity, saidMs ?? -Infinity));
  return { untilMs, endMs, lacks, isWhole: untilMs === endMs && lacks.length === 0 };
}

/** What is said of a host that is away, once its archived chunks are in the answer. */
export function withArchive(
  missing: Missing,
  { untilMs, endMs, lacks }: Reach,
  { seenMs, nowMs }: { seenMs: number | null; nowMs: number },
): Missing {
  const archivedUntil = new Date(untilMs).toISOString();
  const gapEnd = new Date(Math.min(endMs, seenMs ?? endMs)).toISOString();
  const [until, end] = [archivedUntil, gapEnd].map((iso) => clockText(iso, nowMs));
  const gap = gapEnd > archivedUntil ? `, gap ${until}-${end}` : "";
  const lacking = lacks.length === 0 ? "" : `, lacks ${spansText(lacks)}`;
  return {
    ...missing,
    reason: `${missing.reason}  archive used to ${until}${gap}${lacking}`,
    archived_until: archivedUntil,
    ...(lacks.length === 0 ? {} : { archive_lacks: lacks.slice(0, HOUR_SPANS_MAX) }),
  };
}
