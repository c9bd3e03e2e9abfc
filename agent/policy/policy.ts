/** Whether the fleet may ask this, by this host's own policy; each refusal names its rule. */
import type { Limits } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { HostCoverage, Table } from "../../protocol/wire/messages.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import { within } from "../../queries/plan/reach.ts";
import { ALWAYS_SHOWN } from "./policy_config.ts";
import type { Policy } from "./policy_config.ts";

/** In these is the text that columns were taken from. */
const LINES: readonly string[] = ["line", "line_bytes"];

/** Conditions are rounded to so much where a range is taken from them. */
const RANGE_SLACK_MS = 2_000;

/** A refusal, as the asker is told: `policy.range of this host: …`. */
export function refusal(rule: string, message: string): LogvendError {
  return new LogvendError("not_permitted", `policy.${rule} of this host: ${message}`, {
    details: { rule },
  });
}

/** @throws {LogvendError} not_permitted, for a plan that reads what may not be asked */
export function checkPlan(policy: Policy, plan: Plan, now: string): void {
  for (const table of plan.tables) {
    checkTable(policy, table);
    for (const { name } of plan.columnsRead[table] ?? []) checkColumn(policy, table, name);
  }
  if (plan.tables.length > 0) checkRange(policy, plan, now);
}

/** @throws {LogvendError} not_permitted, when there is too much to read */
export function checkReading(policy: Policy, { bytes_read: bytes }: HostCoverage): void {
  if (bytes <= policy.bytes_read) return;
  throw refusal(
    "bytes_read",
    `it would look into ${formatBytes(bytes)} of files, ${formatBytes(policy.bytes_read)} are ` +
      "allowed: ask for a shorter range",
  );
}

/** @throws {LogvendError} not_permitted, when its lines may not be shown as they come */
export function checkTail(policy: Policy, stream: string): void {
  checkTable(policy, stream);
  if (policy.columns[stream] !== undefined) {
    throw refusal("columns", `a tail shows whole lines, and only some columns of ${stream} may be`);
  }
  for (const line of LINES) checkColumn(policy, stream, line);
}

/** What a request may ship: what it allows itself, tightened by the policy. */
export function tightened(policy: Policy, limits: Limits): { rows_max: number; bytes_max: number } {
  return {
    rows_max: Math.min(limits.rows_max, policy.rows),
    bytes_max: Math.min(limits.bytes_max, policy.bytes),
  };
}

/** The refusal that too much of an answer is, where the request itself would have allowed it. */
export function tooMuch(policy: Policy, limits: Limits, error: unknown): LogvendError | null {
  if (!(error instanceof LogvendError) || error.code !== "too_many_rows") return null;
  const { rows = 0, bytes = 0 } = error.details;
  if (rows > limits.rows_max || bytes > limits.bytes_max) return null;
  const size = `${counted(rows, "row")} (${formatBytes(bytes)})`;
  return rows > policy.rows
    ? refusal(
      "rows",
      `about ${size} would leave it, ${counted(policy.rows, "row")} may: ask for less`,
    )
    : refusal(
      "bytes",
      `about ${size} would leave it, ${formatBytes(policy.bytes)} may: ask for less`,
    );
}

/** The tables and columns that may be asked, for those who want to know what there is. */
export function askable(policy: Policy, tables: readonly Table[]): Table[] {
  return tables.filter(({ name }) => isAllowed(() => checkTable(policy, name)))
    .map(({ name, columns }) => ({
      name,
      columns: columns.filter((column) => isAllowed(() => checkColumn(policy, name, column.name))),
    }));
}

function isAllowed(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false; // a refusal: nothing else is thrown
  }
}

function checkTable({ streams }: Policy, table: string) {
  if (streams === undefined || streams.includes(table)) return;
  throw refusal("streams", `${table} may not be asked; allowed are ${streams.join(", ")}`);
}

function checkColumn({ columns, mask }: Policy, table: string, name: string) {
  const column = name.toLowerCase();
  if (ALWAYS_SHOWN.includes(column)) return;
  const allowed = columns[table];
  if (allowed?.some((one) => one.toLowerCase() === column) === false) {
    throw refusal(
      "columns",
      `${table}.${name} may not be asked; allowed are ${allowed.join(", ")}${STAR}`,
    );
  }
  const masked = Object.entries(mask);
  if (LINES.includes(column) && masked.length > 0) {
    const hidden = masked.map(([one]) => one).join(", ");
    throw refusal("mask", `${table}.${name} would show what is masked: ${hidden}${STAR}`);
  }
  if (masked.some(([one, how]) => how === "no_query" && one.toLowerCase() === column)) {
    throw refusal("mask", `${table}.${name} may not be asked${STAR}`);
  }
}

const STAR = "; name the columns that you want, SELECT * reads all";

function checkRange({ range: longestMs }: Policy, plan: Plan, now: string) {
  if (longestMs === undefined) return;
  const { since, until } = within(plan.range, plan.reach);
  const endMs = Math.min(Date.parse(until ?? now), Date.parse(now));
  if (since !== null && endMs - Date.parse(since) <= longestMs + RANGE_SLACK_MS) return;
  throw refusal(
    "range",
    `at most ${formatDurationMs(longestMs)} may be asked at once: bound ts in WHERE, or --since`,
  );
}
