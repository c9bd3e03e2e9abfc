/** What people see beside the rows: the summary with its coverage, the hosts, an explanation. */
import { rangeInWords } from "../protocol/range.ts";
import { GAPS_SQL } from "../protocol/schema/streams.ts";
import type { RangeText } from "../protocol/range.ts";
import { counted, formatBytes, formatDurationMs } from "../protocol/units.ts";
import type { AnswerEnd, Explanation, HostRecord } from "./api/events.ts";
import { NO_HOST_YET } from "./fanout/unanswered.ts";
import { uploadText } from "./upload_text.ts";
import { minute, spansText } from "./fanout/archive/hours.ts";
import type { Coverage, Missing, MissingKind } from "./fanout/coverage.ts";

/** A tail that is less behind than this is no news: logs are read in blocks. */
const BEHIND_SHOWN_MS = 10_000;
const BEHIND_SHOWN_BYTES = 1e6;

/** Reasons listed for one kind of missing host; more are counted. */
const REASONS_SHOWN_MAX = 5;

const LABELS: Readonly<Record<MissingKind, string>> = {
  offline: "offline",
  unknown: "unknown",
  no_ack: "no ack",
  refused: "refused",
  failed: "failed",
  lost: "lost",
  timeout: "timeout",
  retired: "retired",
};

export interface SummaryFacts {
  end: AnswerEnd;
  /** The range as it was asked for. */
  asked: RangeText;
}

/** `complete · 3/3 hosts · last 24 h · 57803 rows, 14 chunks, 0.4 MB read · 31 ms · q-7f3a2c` */
export function summaryLine({ end, asked }: SummaryFacts): string {
  const { coverage, range } = end;
  if (end.mode === "catalog") {
    return ["catalog", "no host asked", formatDurationMs(end.elapsed_ms), end.query_id].join(" · ");
  }
  return [
    coverage.missing.length === 0 ? "complete" : "PARTIAL",
    `${coverage.answered}/${counted(coverage.asked, "host")}` +
    (coverage.pruned === 0 ? "" : ` (${coverage.pruned} not asked: nothing there)`),
    rangeInWords(asked, range) + archivedToText(coverage),
    `${counted(coverage.rows_scanned, "row")}, ${counted(coverage.chunks, "chunk")}, ` +
    `${formatBytes(coverage.bytes_read)} read` +
    (coverage.rows_known === undefined ? "" : `, ${coverage.rows_known} rows known from before`),
    ...archiveText(coverage),
    formatDurationMs(end.elapsed_ms),
    end.query_id,
  ].join(" · ");
}

/** Why an answer has nothing to go by, in a line of its own; none where hosts have read any row. */
export function emptyLines({ mode, coverage, range }: AnswerEnd): string[] {
  if (mode === "catalog" || coverage.answered === 0 || coverage.rows_scanned > 0) return [];
  const isBounded = range.since !== null || range.until !== null;
  const what = isBounded ? "of this range: --since all looks at all times" : "of what is asked for";
  return [`  nothing ${coverage.answered}  no rows there ${what}`];
}

/** `, archived to 2026-11-22 19:00`, or later where hosts differ; empty: all of it is. */
function archivedToText({ archived_to: hosts = [] }: Coverage): string {
  const times = hosts.flatMap(({ until }) => until ?? []).sort();
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) {
    return hosts.length === 0 ? "" : ", not archived yet";
  }
  return `, archived to ${minute(first)}${minute(first) === minute(last) ? "" : " or later"}`;
}

/** `archive: 6 hosts, 288 requests, 3.2 MB` */
function archiveText({ archive }: Coverage): string[] {
  if (archive === undefined) return [];
  const { hosts, requests, bytes } = archive;
  return [
    `archive: ${counted(hosts, "host")}, ${counted(requests, "request")}, ${formatBytes(bytes)}`,
  ];
}

/** One line a kind and reason of missing hosts, then hosts that are behind, rejects, gaps, losses. */
export function coverageLines(coverage: Coverage): string[] {
  const rows = groupRows([
    ...missingGroups(coverage.missing),
    ...behindGroups(coverage),
    ...archivedToGroups(coverage),
  ]);
  if (coverage.rejects > 0) {
    const label = coverage.rejects === 1 ? "reject " : "rejects";
    rows.push({ left: `  ${label} ${coverage.rejects}`, reason: "SELECT * FROM rejects" });
  }
  if (coverage.gaps.count > 0) {
    const { count, bytes } = coverage.gaps;
    const reason = `${formatBytes(bytes)} lost unread: ${GAPS_SQL}`;
    rows.push({ left: `  ${count === 1 ? "gap    " : "gaps   "} ${count}`, reason });
  }
  if (coverage.lost.files > 0) {
    const { files, rows: lostRows } = coverage.lost;
    rows.push({
      left: `  damaged ${files}`,
      reason: `${counted(lostRows, "row")} lost with corrupt or missing files`,
    });
  }
  for (const { left, reason } of groupRows(absentGroups(coverage))) rows.push({ left, reason });
  return aligned(rows);
}

/** Hosts that have not archived all that was asked, by how far they have. */
function archivedToGroups({ archived_to: hosts = [] }: Coverage): HostGroup[] {
  return groupsByReason(
    "archive",
    hosts.map(({ host, until, lacks = [] }) => ({
      host,
      reason: (until === null ? "nothing of it is archived" : `to ${minute(until)}`) +
        (lacks.length === 0 ? "" : `, lacks ${spansText(lacks)}`),
    })),
  );
}

/** One line: hosts may have had nothing to write. */
function absentGroups({ absent = [] }: Coverage): HostGroup[] {
  const [first] = absent;
  if (first === undefined) return [];
  const hours = absent.length === 1
    ? spansText(first.hours)
    : `${first.host} ${spansText(first.hours)}`;
  const more = absent.length === 1 ? "" : " (-o json has all)";
  const reason = `no chunk of ${hours}: no lines, or lost${more}`;
  return [{ label: "no hour", hosts: absent.map(({ host }) => host), reason }];
}

interface CoverageRow {
  left: string;
  reason: string;
}

function groupRows(groups: readonly HostGroup[]): CoverageRow[] {
  const countWidth = Math.max(0, ...groups.map(({ hosts }) => String(hosts.length).length));
  return groups.map(({ label, hosts, reason }) => ({
    left: `  ${label.padEnd(7)} ${String(hosts.length).padEnd(countWidth)}  ${hostsText(hosts)}`,
    reason,
  }));
}

function aligned(rows: readonly CoverageRow[]): string[] {
  const width = Math.max(0, ...rows.map(({ left }) => left.length));
  return rows.map(({ left, reason }) => `${left.padEnd(width)}  ${reason}`);
}

/** The hosts as a table, and how many are there; without any, how to add one. */
export function hostsTable(
  known: readonly HostRecord[],
  nowMs: number,
  { retired }: { retired: boolean } = { retired: false },
): string {
  if (known.length === 0) return `${NO_HOST_YET}\n`;
  const hosts = known.filter(({ retired_at }) => retired || retired_at === null);
  const hidden = known.length - hosts.length;
  const header = [
    "HOST",
    "REGION",
    "STATE",
    "SEEN",
    "VERSION",
    "LINES/S",
    "BEHIND",
    "REJECTS",
    "UPLOAD",
  ];
  const rightAligned = new Set(["LINES/S", "REJECTS"]);
  const rows = hosts.map((host) => hostCells(host, nowMs));
  const widths = header.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const lines = [header, ...rows].map((row) =>
    row.map((cell, i) => {
      const width = widths[i] ?? 0;
      return rightAligned.has(header[i] ?? "") ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd()
  );
  const online = hosts.filter(({ state }) => state === "online").length;
  const total = counted(hosts.length, "host");
  const rest = hidden === 0 ? "" : ` · ${hidden} retired hidden (--retired)`;
  const counts = `${total}: ${online} online, ${hosts.length - online} offline${rest}`;
  return [...lines, counts, ""].join("\n");
}

/** What a query would do, without doing it. */
export function explanationText(explanation: Explanation, asked: RangeText): string {
  const { mode, reason, range, hosts, pruned, missing, estimate } = explanation;
  const { partials, merge_sql } = explanation;
  return [
    ...unreadLine(explanation),
    `mode   ${mode}${reason === null ? "" : `: ${reason}`}`,
    ...(mode === "catalog" ? [] : [`range  ${rangeInWords(asked, range)}`]),
    `hosts  ${hosts.length === 0 ? "none" : `${hosts.length}: ${hosts.join(" ")}`}`,
    ...(pruned.length === 0 ? [] : [`       not asked: ${pruned.join(" ")}: nothing there`]),
    ...missing.map(({ host, reason }) => `       not asked: ${host} ${oneLine(reason)}`),
    ...verdictLines(explanation),
    ...(mode === "catalog" ? [] : [`reads  ${estimateText(estimate)}`]),
    ...(explanation.archive === undefined ? [] : archiveLines(explanation.archive)),
    ...partials.flatMap(({ table, sql }) => ["", `each host, into ${table}:`, indented(sql)]),
    "",
    "merge:",
    indented(merge_sql),
    "",
  ].join("\n");
}

/** First of all: what the archive has for it is not known. */
function unreadLine({ archive }: Explanation): string[] {
  const regions = archive?.unread.map(({ region }) => region) ?? [];
  if (regions.length === 0) return [];
  return [`PARTIAL: nobody could say what the archive of ${regions.join(", ")} has`];
}

/** `refused 1  web-2  policy.mask of this host: …`, then the hosts that did not say. */
function verdictLines({ refused, unchecked }: Explanation): string[] {
  return aligned(groupRows([
    ...groupsByReason("refused", refused),
    ...groupsByReason("no word", unchecked),
  ])).map((line) => `     ${line}`);
}

/** `about 57803 rows, 14 chunks, 3.2 MB; 1 host may read more` */
function estimateText({ chunks, rows, bytes, unknown_hosts: more }: Explanation["estimate"]) {
  const sums = `${counted(rows, "row")}, ${counted(chunks, "chunk")}, ${formatBytes(bytes)}`;
  return `about ${sums}${more === 0 ? "" : `; ${counted(more, "host")} may read more`}`;
}

/** `archive  12 of 144 objects, 24 requests, 3.2 MB at most: $0.0001` */
function archiveLines(archive: NonNullable<Explanation["archive"]>): string[] {
  const { objects, looked, requests, bytes, dollars, unread } = archive;
  const part = looked > objects ? `${objects} of ` : "";
  const price = dollars < 0.0001 ? "less than $0.0001" : `$${dollars.toFixed(4)}`;
  return [
    `archive  ${part}${counted(part === "" ? objects : looked, "object")}, ${
      counted(requests, "request")
    }, ` +
    `${formatBytes(bytes)} at most: ${price}`,
    ...unread.map(({ region, reason }) => `         ${region}: ${oneLine(reason)}`),
  ];
}

interface HostGroup {
  label: string;
  hosts: string[];
  reason: string;
}

function missingGroups(missing: readonly Missing[]): HostGroup[] {
  return Object.entries(LABELS).flatMap(([kind, label]) => {
    const ofKind = missing.filter((one) => one.kind === kind);
    if (ofKind.length === 0) return [];
    return kind === "offline" ? [offlineGroup(label, ofKind)] : groupsByReason(label, ofKind);
  });
}

function groupsByReason(
  label: string,
  hosts: readonly { host: string; reason: string }[],
): HostGroup[] {
  const byReason = [...Map.groupBy(hosts, ({ reason }) => oneLine(reason))]
    .map(([reason, same]) => ({ label, reason, hosts: same.map(({ host }) => host) }))
    .sort((a, b) => b.hosts.length - a.hosts.length);
  const others = byReason.splice(REASONS_SHOWN_MAX).flatMap(({ hosts }) => hosts);
  return others.length === 0
    ? byReason
    : [...byReason, { label, hosts: others, reason: "for other reasons (-o json has them)" }];
}

/** Offline hosts went at times of their own: one line says when the first did. */
function offlineGroup(label: string, missing: readonly Missing[]): HostGroup {
  const earliest = missing.toSorted((a, b) => (a.since ?? "") < (b.since ?? "") ? -1 : 1)[0];
  const reason = oneLine(earliest?.reason ?? "");
  const same = missing.every((one) => one.reason === earliest?.reason);
  return {
    label,
    hosts: missing.map(({ host }) => host),
    reason: same ? reason : reason.replace(/^silent since/, "silent, the first since"),
  };
}

function behindGroups(coverage: Coverage): HostGroup[] {
  return coverage.behind
    .filter(({ ms, bytes }) => ms >= BEHIND_SHOWN_MS || bytes >= BEHIND_SHOWN_BYTES)
    .map(({ host, bytes, ms }) => {
      const time = formatDurationMs(ms).replace(/ m$/, " min");
      const amount = ms > 0 ? `${time} (${formatBytes(bytes)})` : formatBytes(bytes);
      return { label: "behind", hosts: [host], reason: `answered; last ${amount} unread` };
    });
}

/** Up to three names; of more, the first two. */
function hostsText(hosts: readonly string[]): string {
  return hosts.length <= 3 ? hosts.join(" ") : `${hosts.slice(0, 2).join(" ")} …`;
}

function hostCells(host: HostRecord, nowMs: number): string[] {
  const online = host.state === "online";
  const ageMs = host.seen_at === null ? null : nowMs - Date.parse(host.seen_at);
  return [
    host.host,
    host.region,
    host.retired_at === null ? host.state : "retired",
    ageMs === null ? "-" : formatDurationMs(Math.max(1, Math.round(ageMs / 1_000)) * 1_000),
    oneLine(host.version),
    online && host.lines_per_s !== null ? String(Math.round(host.lines_per_s)) : "-",
    online && host.behind_ms !== null ? behindText(host.behind_ms) : "-",
    host.rejects === null ? "-" : String(host.rejects),
    oneLine(uploadText(host, nowMs)),
  ];
}

function behindText(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : formatDurationMs(ms);
}

function indented(text: string): string {
  return text.split("\n").map((line) => `  ${line}`).join("\n");
}

/** The first line of what a host says, without what could steer a terminal. */
export function oneLine(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/\p{Cc}/gu, "?");
}
