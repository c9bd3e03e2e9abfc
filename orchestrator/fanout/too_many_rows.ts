/** Says why a query that cannot be split ships too much, and what to do about it. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Limits } from "../../protocol/signing/claims.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";

interface Amount {
  rows: number;
  bytes: number;
}

export interface HostRows extends Amount {
  region: string;
}

export interface TooManyRows {
  /** Hosts that were asked, or of which the archive is read. */
  hostCount: number;
  /** How many answers there would be. @default one of each host */
  answerCount?: number;
  /** What answers have, or would have, as far as hosts said; none: the cap was passed before they could. */
  heard: readonly HostRows[];
  limits: Limits;
  /** Why the query ships rows. */
  reason: string | null;
  /** How long the asked range is; null when it has no beginning. */
  rangeMs: number | null;
}

const MINUTE_MS = 60_000;

/** Ranges to suggest, largest first. */
const NARROWER_MS = [720, 360, 180, 60, 15, 5, 1].map((minutes) => minutes * MINUTE_MS);

/** Why a plan's hosts ship many rows; null where its size says it. */
export function whyRows({ mode, reason }: Pick<Plan, "mode" | "reason">): string | null {
  if (reason !== null || (mode !== "aggregate" && mode !== "host_complete")) return reason;
  return "each group, and each value that exact distinct counts and quantiles need, is one " +
    "(approx_count_distinct and approx_quantile need few)";
}

/** The error with the whole message. Figures are estimates: rounded, and said to be so. */
export function tooManyRows(facts: TooManyRows): LogvendError {
  const { hostCount, answerCount = hostCount, heard, limits, reason } = facts;
  // Answers that have not come count like the average of those that have.
  const scale = Math.max(answerCount, heard.length) / Math.max(1, heard.length);
  const sum = total(heard);
  const whole = { rows: sum.rows * scale, bytes: sum.bytes * scale };
  const size = whole.bytes > 0 ? ` (${formatBytes(whole.bytes)})` : "";
  const amount = heard.length === 0
    ? `more than ${formatBytes(limits.bytes_max)}`
    : `about ${significant(whole.rows, 4)}${size}`;
  const from = hostCount === 0 ? "" : ` from ${counted(hostCount, "host")}`;
  const narrow = heard.length === 0 ? [] : narrowings(facts, whole);
  return new LogvendError(
    "too_many_rows",
    [
      `Too many rows: ${amount}${from}; ` +
      `the cap is ${counted(limits.rows_max, "row")} or ${formatBytes(limits.bytes_max)}.`,
      ...(reason === null ? [] : [`  Why rows: ${reason}.`]),
      ...(narrow.length === 0 ? [] : [`  Narrow:   ${narrow.join(" or ")}`]),
      `  Or export: -o parquet --max-bytes ` +
      `${roomFor(Math.max(whole.bytes, limits.bytes_max))} > rows.parquet`,
    ].join("\n"),
  );
}

function narrowings({ heard, limits, rangeMs }: TooManyRows, whole: Amount): string[] {
  const fits = ({ rows, bytes }: Amount, part = 1) =>
    rows * part <= limits.rows_max && bytes * part <= limits.bytes_max;
  const sinceMs = rangeMs === null
    ? undefined
    : NARROWER_MS.find((ms) => ms < rangeMs && fits(whole, ms / rangeMs));
  const regions = Map.groupBy(heard, (host) => host.region);
  const region = [...regions].find(([, hosts]) => fits(total(hosts)))?.[0];
  return [
    ...(sinceMs === undefined || rangeMs === null ? [] : [
      `--since ${formatDurationMs(sinceMs).replace(" ", "")} ` +
      `(about ${counted(significant(whole.rows * sinceMs / rangeMs, 2), "row")})`,
    ]),
    ...(region === undefined || regions.size < 2 ? [] : [`--on 'region = ${region}'`]),
  ];
}

function total(hosts: readonly HostRows[]): Amount {
  return {
    rows: hosts.reduce((rows, host) => rows + host.rows, 0),
    bytes: hosts.reduce((bytes, host) => bytes + host.bytes, 0),
  };
}

function significant(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/** A round size with room for what is only an estimate: `2GB`. */
function roomFor(bytes: number): string {
  const wanted = bytes * 1.5;
  const unit = 10 ** Math.floor(Math.log10(wanted));
  const round = [1, 2, 5, 10].find((factor) => factor * unit >= wanted) ?? 10;
  return formatBytes(round * unit).replace(/(\.0)? /, "");
}
