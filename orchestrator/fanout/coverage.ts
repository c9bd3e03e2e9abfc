/** The coverage proof of an answer: who was asked, who answered, who is missing and why. */
import { z } from "zod";
import { HourSpan } from "../../protocol/wire/hour_spans.ts";
import { ArchiveUse, GapTotal, LostTotal } from "../../protocol/wire/messages.ts";
import type { HostCoverage, UnreadChunks } from "../../protocol/wire/messages.ts";
import { counted } from "../../protocol/units.ts";

/** Why a host is missing from an answer. */
export const MissingKind = z.enum([
  "offline", // known, and not there: not waited for
  "unknown", // never seen: asked for by name, or others that an archive may have
  "no_ack", // did not take the query in time
  "refused", // would not run it
  "failed", // could not run it, or sent what does not add up
  "lost", // went away while it ran
  "timeout", // still running at the deadline
  "retired", // expected no more, and it held or may have held something of the asked range
]);
export type MissingKind = z.infer<typeof MissingKind>;

export const Missing = z.object({
  host: z.string(),
  kind: MissingKind,
  /** For people: "silent since 10:14:07" (UTC). */
  reason: z.string(),
  /** Of an offline host: when it was last there, if known. */
  since: z.iso.datetime().optional(),
  /** Up to when its archived chunks are in the answer. */
  archived_until: z.iso.datetime().optional(),
  /** Hours before that which it had sealed, and of which the archive lacks chunks. */
  archive_lacks: z.array(HourSpan).optional(),
});
export type Missing = z.infer<typeof Missing>;

/** A host that would refuse a query, if it were asked. */
export const Refusal = z.object({
  host: z.string(),
  /** Of the host's policy, where it is that. */
  rule: z.string().optional(),
  reason: z.string(),
});
export type Refusal = z.infer<typeof Refusal>;

/** A host that did not say whether it would, and why not. */
export const Unchecked = Refusal.omit({ rule: true });
export type Unchecked = z.infer<typeof Unchecked>;

/** Hours of which neither the host nor the archive has a chunk, between others. */
export const Absent = z.object({ host: z.string(), hours: z.array(HourSpan) });
export type Absent = z.infer<typeof Absent>;

/** Up to when a host has archived what was asked of the archive alone, where that is not all. */
export const ArchivedTo = z.object({
  host: z.string(),
  /** Null: nothing of the asked range, and it may hold something. */
  until: z.iso.datetime().nullable(),
  /** Hours that it has sealed, and of which the archive lacks chunks. */
  lacks: z.array(HourSpan).optional(),
});
export type ArchivedTo = z.infer<typeof ArchivedTo>;

/** A host that answered without the newest lines of its log files. */
export const Behind = z.object({
  host: z.string(),
  /** Bytes that its tail had not read yet. */
  bytes: z.number(),
  /** Age of the oldest of them by the host's last heartbeat; 0: less than that can tell. */
  ms: z.number(),
});
export type Behind = z.infer<typeof Behind>;

export const Coverage = z.object({
  asked: z.number().int(),
  /** Those that need not be asked included. */
  answered: z.number().int(),
  /** Of those: they hold nothing of what is asked for, by the catalog. */
  pruned: z.number().int().default(0),
  missing: z.array(Missing),
  /** Sums over the hosts that answered: parts and chunks opened, rows and bytes read. */
  chunks: z.number().int(),
  rows_scanned: z.number().int(),
  /** Of these: known from the same question before, and not read again. */
  rows_known: z.number().int().optional(),
  bytes_read: z.number().int(),
  /** Lines in the asked range that no format could read. */
  rejects: z.number().int(),
  /** What was destroyed before it was read, as seen in the asked range. */
  gaps: GapTotal.default({ count: 0, bytes: 0 }),
  /** What is damaged or missing on hosts that answered. */
  lost: LostTotal.default({ files: 0, rows: 0 }),
  behind: z.array(Behind),
  /** What came from the archive, for how many hosts; none: it was not asked. */
  archive: ArchiveUse.extend({ hosts: z.number().int() }).optional(),
  /** Where archives were looked at: no line was written in these hours, or they are lost. */
  absent: z.array(Absent).optional(),
  /** Of a question to the archive alone: hosts of which it has not all, yet or at all. */
  archived_to: z.array(ArchivedTo).optional(),
});
export type Coverage = z.infer<typeof Coverage>;

export interface HostResultSummary {
  host: string;
  coverage: HostCoverage;
  /** Age of the oldest unread byte, from presence. */
  behindMs: number;
}

/** What came from the archive. */
export interface Archived {
  /** Of the agents that read it. */
  coverage: readonly HostCoverage[];
  /** Hosts with chunks that were read; those of `whole` are in the answer with all that was asked. */
  hosts: number;
  whole: readonly string[];
  absent: readonly Absent[];
  archivedTo: readonly ArchivedTo[];
}

function archiveUse(all: readonly HostCoverage[], archived: Archived | null) {
  const uses = all.flatMap(({ archive }) => archive ?? []);
  if (archived === null && uses.length === 0) return {};
  const total = (field: keyof ArchiveUse) => uses.reduce((sum, use) => sum + use[field], 0);
  const archive = { chunks: total("chunks"), requests: total("requests"), bytes: total("bytes") };
  return { archive: { ...archive, hosts: archived?.hosts ?? 0 } };
}

function absentOf(answered: readonly HostResultSummary[], archived: Archived | null) {
  const own = answered.flatMap(({ host, coverage: { absent: hours = [] } }): Absent[] =>
    hours.length === 0 ? [] : [{ host, hours }]
  );
  const absent = [...own, ...archived?.absent ?? []].toSorted(byHost);
  return absent.length === 0 ? {} : { absent };
}

function archivedTo(archived: Archived | null) {
  const hosts = archived?.archivedTo ?? [];
  return hosts.length === 0 ? {} : { archived_to: hosts.toSorted(byHost) };
}

/** Sums up what hosts say; lists are in the order of host names. */
export function coverageOf(
  answered: readonly HostResultSummary[],
  missing: readonly Missing[],
  pruned = 0,
  archived: Archived | null = null,
): Coverage {
  const all = [...answered.map(({ coverage }) => coverage), ...archived?.coverage ?? []];
  const total = (field: "chunks" | "rows_scanned" | "rows_known" | "bytes_read" | "rejects") =>
    all.reduce((sum, coverage) => sum + (coverage[field] ?? 0), 0);
  // A host that lacks something of its own is missing, though its rows are in the answer.
  const lacking = new Set(missing.map(({ host }) => host));
  const whole = answered.filter(({ host }) => !lacking.has(host)).length;
  const hosts = whole + pruned + (archived?.whole.length ?? 0);
  return {
    asked: hosts + missing.length,
    answered: hosts,
    pruned,
    missing: missing.toSorted(byHost),
    chunks: total("chunks"),
    rows_scanned: total("rows_scanned"),
    ...(total("rows_known") > 0 ? { rows_known: total("rows_known") } : {}),
    bytes_read: total("bytes_read"),
    rejects: total("rejects"),
    gaps: {
      count: answered.reduce((sum, { coverage }) => sum + coverage.gaps.count, 0),
      bytes: answered.reduce((sum, { coverage }) => sum + coverage.gaps.bytes, 0),
    },
    lost: {
      files: answered.reduce((sum, { coverage }) => sum + coverage.lost.files, 0),
      rows: answered.reduce((sum, { coverage }) => sum + coverage.lost.rows, 0),
    },
    behind: answered.filter(({ coverage }) => coverage.behind_bytes > 0)
      .map(({ host, coverage, behindMs }) => ({
        host,
        bytes: coverage.behind_bytes,
        ms: behindMs,
      }))
      .toSorted(byHost),
    ...archiveUse(all, archived),
    ...absentOf(answered, archived),
    ...archivedTo(archived),
  };
}

/** `2 archived chunks could not be read, one is stream=…: it was replaced …` */
export function unreadText({ chunks, key, reason }: UnreadChunks): string {
  if (chunks === 0) return `what left it for the archive is lacking: ${reason}`;
  const which = chunks === 1 ? key : `one is ${key}`;
  const what = `${counted(chunks, "archived chunk")} could not be read`;
  return `${what}${chunks === 1 ? "" : ","} ${which}: ${reason}`;
}

/** "silent since 10:14:07", with the date when that was more than a day ago; UTC. */
export function silence(seenMs: number | null, nowMs: number): string {
  if (seenMs === null) return "never heard by this orchestrator";
  const iso = new Date(seenMs).toISOString();
  const time = iso.slice(11, 19);
  return `silent since ${nowMs - seenMs < 86_400_000 ? time : `${iso.slice(0, 10)} ${time}`}`;
}

function byHost(a: { host: string }, b: { host: string }): number {
  return a.host < b.host ? -1 : a.host > b.host ? 1 : 0;
}
