/** How far a query's own conditions let it reach: into which time, to rows of which hosts. */
import type { LineTests } from "../../protocol/schema/line_texts.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { printSql } from "../ast.ts";
import {
  baseTable,
  call,
  cast,
  conjunction,
  isColumnRef,
  isFunctionCall,
  textOf,
} from "../ast_nodes.ts";
import { isExpression, isNode, select, walk } from "../ast_nodes.ts";
import type { AstValue, Expression, QueryNode } from "../ast_nodes.ts";
import type { Engine } from "../duckdb/engine.ts";
import { countsOnly } from "./counts_only.ts";
import type { Bounds } from "./range.ts";
import { demandsOn, neededColumns } from "./rows.ts";
import { bareName, conjunctsOf, isObstacle, singleTable } from "./shape.ts";

/**
 * What no row that matters lies outside of; null is unbounded. It may be wider than what the SQL
 * says, never narrower: files and hosts beyond it need not be looked at.
 */
export interface Reach extends Bounds {
  /** Values of the column `host`. */
  hosts: readonly string[] | null;
  /** Values of the column `region`. */
  regions: readonly string[] | null;
  /** By table: texts that every line has which matters. */
  lines: Readonly<Record<string, LineTests>>;
  /** By table and column: texts, one of which every row has that matters. */
  values: Readonly<Record<string, ColumnTexts>>;
  /** Whether the footers of files say enough: how many rows, their first and last `ts`. */
  countsOnly: boolean;
}

/** Texts by column. */
export type ColumnTexts = Readonly<Record<string, readonly string[]>>;

/** Of SQL that says nothing about time and hosts. */
export const EVERYWHERE: Reach = {
  since: null,
  until: null,
  hosts: null,
  regions: null,
  lines: {},
  values: {},
  countsOnly: false,
};

/** @param node its clock is frozen: now() is a constant */
export async function reachOf(
  engine: Engine,
  node: QueryNode,
  tables: readonly { name: string; columns: readonly Column[] }[],
): Promise<Reach> {
  const demands = tables.flatMap(({ name, columns }) => {
    const isInstant = columns.some((column) =>
      column.name === "time_local" && column.type === "TIMESTAMP"
    );
    const times = isInstant ? ["ts", "time_local"] : ["ts"];
    return demandsOn(node, name, columns.map((column) => column.name))
      .map((conditions) => ({ name, conditions, times }));
  });
  if (demands.length === 0) return EVERYWHERE;
  const spans = demands.map(({ conditions, times }) =>
    conditions.map((condition) => spanOf(condition, times)).filter((span) => span !== null)
  );
  return {
    ...await hullOf(engine, spans),
    hosts: union(demands.map(({ conditions }) => valuesOf(conditions, "host"))),
    regions: union(demands.map(({ conditions }) => valuesOf(conditions, "region"))),
    lines: Object.fromEntries(
      tables.map(({ name }) => {
        const mentions = demands.filter((demand) => demand.name === name);
        const texts = common(mentions.map(({ conditions }) => conditions.flatMap(lineTextsOf)));
        return [name, { texts, suffice: texts.length > 0 && asksNoMore(node) }] as const;
      }).filter(([, { texts }]) => texts.length > 0),
    ),
    values: Object.fromEntries(
      tables.map(({ name, columns }) => {
        const mentions = demands.filter((demand) => demand.name === name);
        return [name, textsOf(mentions, columns)] as const;
      }).filter(([, texts]) => Object.keys(texts).length > 0),
    ),
    countsOnly: countsOnly(node),
  };
}

/** What conditions leave to the columns that hold texts, whichever mention a row is for. */
function textsOf(
  mentions: readonly { conditions: readonly Expression[] }[],
  columns: readonly Column[],
): ColumnTexts {
  const known = columns.filter(({ type }) => type === "VARCHAR").flatMap(({ name }) => {
    const texts = union(mentions.map(({ conditions }) => valuesOf(conditions, name)));
    return texts === null ? [] : [[name, texts] as const];
  });
  return Object.fromEntries(known);
}

/** The part of a range that a query can reach. */
export function within(range: Bounds, { since, until }: Bounds): Bounds {
  const isLater = since !== null && Date.parse(since) > Date.parse(range.since ?? since);
  const isEarlier = until !== null && Date.parse(until) < Date.parse(range.until ?? until);
  return {
    since: isLater || range.since === null ? since : range.since,
    until: isEarlier || range.until === null ? until : range.until,
  };
}

/** A condition on the time: not before the first of some constants, not after the last of others. */
interface Span {
  since: readonly Expression[];
  until: readonly Expression[];
  /** By how much a time may be off that was rounded before it was compared. */
  slackMs: number;
}

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

const UNITS_MS: Readonly<Record<string, number>> = {
  second: SECOND_MS,
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 31 * DAY_MS,
  quarter: 92 * DAY_MS,
  year: 366 * DAY_MS,
};

const MIRRORED: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: "COMPARE_EQUAL",
  COMPARE_GREATERTHAN: "COMPARE_LESSTHAN",
  COMPARE_GREATERTHANOREQUALTO: "COMPARE_LESSTHANOREQUALTO",
  COMPARE_LESSTHAN: "COMPARE_GREATERTHAN",
  COMPARE_LESSTHANOREQUALTO: "COMPARE_GREATERTHANOREQUALTO",
};

/** More constants than this are not worth their evaluation. */
const CONSTANTS_MAX = 100;

function spanOf(condition: Expression, times: readonly string[]): Span | null {
  const { type, left, right, input, lower, upper, children } = condition;
  if (type === "COMPARE_BETWEEN") return span(input, times, { since: [lower], until: [upper] });
  if (type === "COMPARE_IN" && Array.isArray(children)) {
    const [tested, ...values] = children;
    return span(tested, times, { since: values, until: values });
  }
  const mirrored = MIRRORED[type];
  if (mirrored === undefined) return null;
  return compared(type, times, left, right) ?? compared(mirrored, times, right, left);
}

function compared(type: string, times: readonly string[], tested?: AstValue, value?: AstValue) {
  const isLower = type === "COMPARE_EQUAL" || type.startsWith("COMPARE_GREATER");
  const isUpper = type === "COMPARE_EQUAL" || type.startsWith("COMPARE_LESS");
  return span(tested, times, { since: isLower ? [value] : [], until: isUpper ? [value] : [] });
}

type Edges = Record<"since" | "until", readonly (AstValue | undefined)[]>;

function span(tested: AstValue | undefined, times: readonly string[], edges: Edges): Span | null {
  const slackMs = slackOf(tested, times);
  const since = edges.since.filter(isConstantTime);
  const until = edges.until.filter(isConstantTime);
  const all = since.length === edges.since.length && until.length === edges.until.length;
  return slackMs === null || !all ? null : { since, until, slackMs };
}

/** For the time itself, and for what is rounded down from it; null for anything else. */
function slackOf(value: AstValue | undefined, times: readonly string[]): number | null {
  if (!isNode(value) || !isExpression(value)) return null;
  if (isColumnRef(value)) return times.includes(bareName(value) ?? "") ? SECOND_MS : null;
  if (value.class === "CAST") {
    const type = isNode(value["cast_type"]) ? value["cast_type"]["id"] : null;
    const slackMs = slackOf(value["child"], times);
    if (slackMs === null || !TIME_TYPES.has(String(type))) return null;
    return type === "DATE" ? slackMs + DAY_MS : slackMs;
  }
  if (!isFunctionCall(value) || value.function_name !== "date_trunc") return null;
  const unitMs = UNITS_MS[textOf(value.children[0])?.toLowerCase() ?? ""];
  const slackMs = slackOf(value.children[1], times);
  return unitMs === undefined || slackMs === null ? null : slackMs + unitMs;
}

const TIME_TYPES = new Set(["TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DATE"]);

/** Types and functions of which times are made without work that is worth mentioning. */
const CHEAP_TYPES = new Set([...TIME_TYPES, "INTERVAL", "BIGINT", "INTEGER", "DOUBLE"]);
const CHEAP_FUNCTION =
  /^([-+*]|date_trunc|trunc|to_(years|months|weeks|days|hours|minutes|seconds))$/;

/** Says whether an expression is made of literals, and cheap: it is evaluated where queries are planned. */
function isConstantTime(value: AstValue | undefined): value is Expression {
  if (!isNode(value) || !isExpression(value)) return false;
  return walk(value).filter(isExpression).every((part) => {
    if (part.class === "CONSTANT") return true;
    if (part.class === "CAST") {
      return isNode(part["cast_type"]) && CHEAP_TYPES.has(String(part["cast_type"]["id"]));
    }
    return isFunctionCall(part) && CHEAP_FUNCTION.test(part.function_name);
  });
}

/** What all mentions of tables together reach: of each, what all its spans have in common. */
async function hullOf(engine: Engine, mentions: readonly (readonly Span[])[]): Promise<Bounds> {
  const constants = mentions.flat().flatMap(({ since, until }) => [...since, ...until]);
  const unbounded = mentions.some((spans) => spans.length === 0);
  if (unbounded || constants.length > CONSTANTS_MAX) return { since: null, until: null };
  const times = await timesOf(engine, constants);
  const since = mentions.map((spans) =>
    Math.max(...spans.map((one) => Math.min(...edgeTimes(one.since, times, -1)) - one.slackMs))
  );
  const until = mentions.map((spans) =>
    Math.min(...spans.map((one) => Math.max(...edgeTimes(one.until, times, 1)) + one.slackMs))
  );
  return { since: instant(Math.min(...since)), until: instant(Math.max(...until)) };
}

/** What is no time, or no edge at all, bounds nothing. @param sign of the infinity that stands for it */
function edgeTimes(
  edges: readonly Expression[],
  times: ReadonlyMap<Expression, readonly number[]>,
  sign: 1 | -1,
): number[] {
  if (edges.length === 0) return [sign * Infinity];
  return edges.flatMap((edge) => times.get(edge) ?? [sign * Infinity]);
}

/**
 * What DuckDB makes of constants, in milliseconds; those that are no times are left out. A text has a
 * zone, `10:00+02`, where it is compared as TIMESTAMP WITH TIME ZONE, and none where as TIMESTAMP.
 */
async function timesOf(
  engine: Engine,
  constants: readonly Expression[],
): Promise<Map<Expression, readonly number[]>> {
  if (constants.length === 0) return new Map();
  const list = constants.flatMap((value) =>
    ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]
      .map((type) => call("epoch_us", { ...cast(value, type), try_cast: true }))
  );
  try {
    const from = { ...baseTable(""), type: "EMPTY" };
    const [sql = ""] = await printSql(engine, [select(list, from)]);
    const [row = []] = (await engine.read(sql)).rows;
    return new Map(constants.flatMap((value, i) => {
      const read = row.slice(2 * i, 2 * i + 2).filter((us) => us !== null && us !== undefined);
      return read.length < 2 ? [] : [[value, read.map((us) => Number(us) / 1_000)]];
    }));
  } catch {
    return new Map(); // the query itself says what is wrong with it
  }
}

const YEAR_1_MS = Date.parse("0001-01-01T00:00:00Z");
const YEAR_9999_MS = Date.parse("9999-12-31T23:59:59Z");

function instant(ms: number): string | null {
  return ms >= YEAR_1_MS && ms <= YEAR_9999_MS ? new Date(ms).toISOString() : null;
}

/** The texts that conditions leave to a column; null: any. */
function valuesOf(conditions: readonly Expression[], column: string): string[] | null {
  const lists = conditions.map((condition) => listedFor(condition, column))
    .filter((list) => list !== null);
  const [first, ...others] = lists;
  return first?.filter((value) => others.every((list) => list.includes(value))) ?? null;
}

function listedFor({ type, left, right, children }: Expression, column: string): string[] | null {
  const sides = type === "COMPARE_EQUAL"
    ? [left, right]
    : type === "COMPARE_IN" && Array.isArray(children)
    ? children
    : [];
  const isColumn = (side: AstValue | undefined) => isNode(side) && bareName(side) === column;
  const at = type === "COMPARE_IN" ? 0 : sides.findIndex(isColumn);
  if (!isColumn(sides[at])) return null;
  const texts = sides.filter((_, i) => i !== at).map(textOf);
  return texts.every((text) => text !== null) ? texts : null;
}

/** `line LIKE '%time%out%'`, `contains(line, 'timeout')`: texts that the line must have. */
function lineTextsOf(condition: Expression): string[] {
  if (!isFunctionCall(condition)) return [];
  const { function_name: name, children: [tested, value, ...more] } = condition;
  const isLine = tested !== undefined && bareName(tested) === "line" && more.length === 0;
  const text = isLine && (name === "~~" || name === "contains") ? textOf(value) : null;
  if (text === null) return [];
  return (name === "~~" ? text.split(/[%_]/) : [text]).filter((part) => part !== "");
}

/** Whether a condition is that the line has a text, and no more. */
function isLineTest(condition: Expression): boolean {
  if (lineTextsOf(condition).length !== 1 || !isFunctionCall(condition)) return false;
  const { function_name: name, children: [, pattern] } = condition;
  return name === "contains" || /^%[^%_]*%$/s.test(textOf(pattern) ?? "");
}

/** Whether a query is done with the line when it has passed such conditions. */
function asksNoMore(node: QueryNode): boolean {
  const single = singleTable(node);
  if (isObstacle(single)) return false;
  const { select: whole } = single;
  const others = conjunctsOf(whole.where_clause).filter((one) => !isLineTest(one));
  const rest = { ...whole, where_clause: conjunction(others) };
  return !neededColumns(rest, ["ts", "line"]).includes("line");
}

/** What all lists have. */
function common(lists: readonly (readonly string[])[]): string[] {
  const [first = [], ...others] = lists;
  return first.filter((word) => others.every((list) => list.includes(word)));
}

function union(lists: readonly (readonly string[] | null)[]): string[] | null {
  const known = lists.filter((list) => list !== null);
  return known.length < lists.length ? null : [...new Set(known.flat())];
}
