/** Divides a query between the hosts and the merge: groups first, else first rows, else rows. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column, Table } from "../../protocol/wire/messages.ts";
import { emptySelect } from "../../protocol/schema/table_sql.ts";
import { positionText, printSql } from "../ast.ts";
import {
  baseTable,
  isBaseTable,
  isExpression,
  isSelect,
  locationOf,
  rewrite,
} from "../ast_nodes.ts";
import { select, some, walk } from "../ast_nodes.ts";
import type { AstNode, QueryNode, SelectNode } from "../ast_nodes.ts";
import type { Engine } from "../duckdb/engine.ts";
import { carrierOf } from "../transfer/carriers.ts";
import { aggregates, grouped } from "./aggregate.ts";
import { conformed } from "./answer_columns.ts";
import { splitCarried } from "./carried.ts";
import type { CarriedRequest } from "./carried.ts";
import { flattened } from "./flatten.ts";
import { GroupSplitter } from "./groups.ts";
import type { Groups, Source } from "./groups.ts";
import { JOINED_TABLE, joinedTable } from "./joined.ts";
import type { JoinTables } from "./joined.ts";
import { carriesCollation, hasWindow, innerOf, isLocal } from "./local.ts";
import { keepsHost, withLocalsInline } from "./local.ts";
import { namesOf } from "./plan.ts";
import type { Frame, Partial, Plan, Shown } from "./plan.ts";
import { withTables } from "./relations.ts";
import { neededColumns, shipRows } from "./rows.ts";
import { isObstacle, singleTable, stringsOf } from "./shape.ts";
import type { Obstacle } from "./shape.ts";
import { PARTIAL_TABLE } from "./shipped.ts";
import type { Templates } from "./templates.ts";
import { rowsWanted, splitTopK } from "./top_k.ts";

/** Of one request. */
export interface SplitRequest {
  sql: string;
  frame: Frame;
  shown: Shown;
  /** The asker's own tables, which every host has whole. */
  own: readonly Table[];
  rowsMax: number;
  /** Of the plan: what hosts that know no later one can do. */
  version: number;
}

/** The rest of a query that hosts have aggregated parts of. */
interface Rest {
  node: QueryNode;
  groups: Groups[];
}

export class PlanSplitter {
  private readonly groups: GroupSplitter;

  constructor(private readonly engine: Engine, templates: Templates) {
    this.groups = new GroupSplitter(engine, templates);
  }

  async split(node: QueryNode, request: SplitRequest): Promise<Plan> {
    const flat = flattened(node, (table) => {
      const known = request.frame.tables.find((name) => name === table.toLowerCase());
      return known === undefined ? null : lowerNames(request.shown(known));
    });
    const tables = joinTablesOf(request);
    const inline = withLocalsInline(flat, tables);
    if (inline === node) return await this.divide(node, request);
    try {
      return await this.divide(inline, request);
    } catch (thrown) {
      if (isBadSql(thrown)) return await this.divide(node, request);
      throw thrown;
    }
  }

  private async divide(node: QueryNode, request: SplitRequest): Promise<Plan> {
    const { frame } = request;
    const carried = await this.carriedPlan(node, request);
    if (carried !== null) return carried;
    const source = await this.sourceOf(node, request);
    const obstacle = isObstacle(source) ? source : await this.divideSource(node, source, request);
    if (!("why" in obstacle)) return obstacle;
    const rest = await this.inner(node, request);
    const tables = frame.tables.filter((table) => some(rest.node, (part) => names(part, table)));
    const mode = rest.groups.length > 0 && tables.length === 0 ? modeOf(rest.groups) : "rows";
    const reason = mode === "rows"
      ? await this.reasonText(request.sql, obstacle)
      : rest.groups.find((part) => part.reason !== null)?.reason ?? null;
    return await this.planRows(
      rest,
      { mode, reason, ...frame },
      (table) => shipRows(rest.node, table, namesOf(frame.columnsRead[table] ?? [])),
    );
  }

  private async divideSource(
    node: QueryNode,
    source: Source,
    request: SplitRequest,
  ): Promise<Plan | Obstacle> {
    const { frame, rowsMax, version } = request;
    const { single, join } = source;
    const groups = grouped(single);
    if (aggregates(groups)) {
      const split = await this.groups.split({ ...source, single: groups }, {
        names: namesOf(frame.columns),
        table: PARTIAL_TABLE,
        version,
      });
      if ("why" in split) return split;
      return {
        mode: split.mode,
        reason: null,
        ...frame,
        partials: [split.partial],
        mergeSql: conformed(split.mergeSql, split.columns, frame.columns),
      };
    }
    if (join !== null) return { subject: "the join", node: null, why: "needs the rows themselves" };
    const needed = neededColumns(node, namesOf(frame.columnsRead[single.table] ?? []));
    const first = splitTopK(single, needed, rowsMax);
    if (isObstacle(first)) return first;
    const outline = { mode: "top_k", reason: null, ...frame } as const;
    return await this.planRows({ node, groups: [] }, outline, () => first);
  }

  /** The rows of a SELECT that each host can run over its own; null: it is none, or rows do as well. */
  private async carriedPlan(node: QueryNode, request: SplitRequest): Promise<Plan | null> {
    const { frame, rowsMax } = request;
    if (!isSelect(node) || !isWorthCarrying(node, request)) return null;
    const names = namesOf(frame.columns);
    const split = await this.carried(node, { names, table: PARTIAL_TABLE });
    if (split === null) return null;
    const isFew = Number(rowsWanted(node) ?? Infinity) <= rowsMax;
    const mode = split.mode === "rows" && isFew ? "top_k" : split.mode;
    return {
      mode,
      reason: mode === "rows" ? NO_LIMIT : isFew ? null : split.reason,
      ...frame,
      partials: [split.partial],
      mergeSql: conformed(split.mergeSql, split.columns, frame.columns),
    };
  }

  private async carried(
    node: SelectNode,
    { names, table }: CarriedRequest,
  ): Promise<Groups | null> {
    const split = splitCarried(node, { names, table });
    if (split === null) return null;
    const { merge } = split;
    const [sql = "", mergeSql = ""] = await printSql(this.engine, [split.partial, merge]);
    const columns = await this.engine.describe(sql);
    if (columns.some(({ type }) => carrierOf(type) === null)) return null;
    const given = await this.engine.describe(withTables([[table, emptySelect(columns)]], mergeSql));
    const partial = { table, sql, columns };
    const kind = hasWindow(node)
      ? { mode: "host_complete", reason: WINDOW_ROWS } as const
      : { mode: "rows", reason: null } as const;
    return { partial, merge, mergeSql, columns: given, ...kind };
  }

  /** The aggregated parts of a query, each replaced by its merge. */
  private async inner(node: QueryNode, request: SplitRequest): Promise<Rest> {
    const taken = stringsOf(node);
    const hidden = walk(node).some((part) =>
      "cte_map" in part &&
      (part as QueryNode).cte_map.map.some(({ key }) =>
        request.frame.tables.includes(key.toLowerCase())
      )
    );
    const groups = new Map<AstNode, Groups>();
    const replaced = new Set<AstNode>();
    if (hidden) return { node, groups: [] };
    for (const part of walk(node)) {
      if (!isSelect(part) || part === node) continue;
      if (replaced.has(part)) continue;
      const table = `${PARTIAL_TABLE}_${groups.size}`;
      if (taken.has(table)) continue;
      const split = await this.part(part, table, request);
      if (split === null) continue;
      groups.set(part, split);
      for (const inside of walk(part)) replaced.add(inside);
    }
    return { node: rewrite(node, (part) => groups.get(part)?.merge), groups: [...groups.values()] };
  }

  /** One SELECT in a query, if hosts can do its work. */
  private async part(part: SelectNode, table: string, request: SplitRequest) {
    const source = await this.sourceOf(part, request);
    const single = isObstacle(source) ? null : grouped(source.single);
    const isGrouped = single !== null && aggregates(single);
    if (!isGrouped && !isPart(part, request)) return null;
    const names = await this.namesAlone(part);
    if (names === null) return null;
    const { version } = request;
    if (!isGrouped || isObstacle(source)) {
      const isClear = new Set(names.map((name) => name.toLowerCase())).size === names.length;
      return isClear ? await this.carried(part, { names, table }) : null;
    }
    const split = await this.groups.split({ ...source, single }, { names, table, version });
    return "why" in split ? null : split;
  }

  /** The node as one SELECT over one of the tables, or over what hosts make of one. */
  private async sourceOf(node: QueryNode, request: SplitRequest): Promise<Source | Obstacle> {
    const inner = isSelect(node) ? innerOf(node) : null;
    if (inner === null || !isSelect(node) || !isPart(inner, request)) {
      return plainSourceOf(node, request);
    }
    const names = (await this.namesAlone(inner))?.map((name) => name.toLowerCase()) ?? [];
    const isClear = names.length > 0 && new Set(names).size === names.length &&
      keepsHost(inner, names, joinTablesOf(request));
    if (!isClear) return plainSourceOf(node, request);
    const from = { ...baseTable(JOINED_TABLE), alias: node.from_table.alias };
    const single = singleTable({ ...node, from_table: from });
    return isObstacle(single) ? single : { single, columns: names, join: inner };
  }

  /** The names of a SELECT's columns; null when it does not stand alone: others' names are in it. */
  private async namesAlone(node: SelectNode): Promise<string[] | null> {
    try {
      const [text = ""] = await printSql(this.engine, [node]);
      return namesOf(await this.engine.describe(text));
    } catch {
      return null;
    }
  }

  /** Ships rows of each table (`first`: the first rows of the only one) and runs the original. */
  private async planRows(
    { node, groups }: Rest,
    outline: Pick<Plan, "mode" | "reason"> & Frame,
    shippedOf: (table: string) => SelectNode,
  ): Promise<Plan> {
    const tables = outline.tables.filter((table) => some(node, (part) => names(part, table)));
    const partials = await printSql(this.engine, tables.map(shippedOf));
    const shipped = [
      ...groups.map(({ partial }) => partial),
      ...tables.map((table, i) => {
        const read = outline.columnsRead[table] ?? [];
        const needed = neededColumns(node, namesOf(read));
        const columns = read.filter(({ name }) => needed.includes(name));
        return { table, sql: partials[i] ?? "", columns };
      }),
    ];
    try {
      const aggregated = groups.map(({ partial }) => partial);
      const mergeSql = await this.mergeText(node, aggregated, outline.columns);
      return { ...outline, partials: shipped, mergeSql };
    } catch (cause) {
      const why = messageOf(cause).split("\n")[0];
      throw new LogvendError("bad_sql", `Cannot carry this SQL to hosts: ${why}. Rewrite it`, {
        cause,
      });
    }
  }

  /** SQL that gives the answer's columns; `partials` are the tables that are no stream's. */
  private async mergeText(
    node: QueryNode,
    partials: readonly Partial[],
    wanted: readonly Column[],
  ): Promise<string> {
    const [text = ""] = await printSql(this.engine, [node]);
    const empty = partials.map(({ table, columns }): [string, string] => [
      table,
      emptySelect(columns),
    ]);
    return conformed(text, await this.engine.describe(withTables(empty, text)), wanted);
  }

  private async reasonText(sql: string, { subject, node, why }: Obstacle): Promise<string> {
    let text = subject;
    if (typeof text !== "string" && isExpression(text)) {
      const bare = select([{ ...text, alias: "" }], { ...baseTable(""), type: "EMPTY" });
      text = (await printSql(this.engine, [bare]))[0]?.replace(/^SELECT /, "") ?? "";
    }
    const position = node === null ? null : positionText(sql, locationOf(node));
    return [text, position === null ? "" : `at ${position}`, why].filter(Boolean).join(" ");
  }
}

const NO_LIMIT = "it asks for rows without a LIMIT";
const WINDOW_ROWS = "each row that comes out of its windows is one";

/** Of a query of which nothing but these parts is left. */
function modeOf(parts: readonly Groups[]): Plan["mode"] {
  const modes = parts.map(({ mode }) => mode);
  return modes.find((mode) => mode === "rows") ??
    modes.find((mode) => mode === "host_complete") ?? "aggregate";
}

/** Whether hosts can run it, and more than a choice of rows is gained by that. */
function isWorthCarrying(node: SelectNode, request: SplitRequest): boolean {
  if (!isLocal(node, joinTablesOf(request))) return false;
  if (request.version >= 7 && carriesCollation(node)) return false;
  return hasWindow(node) || node.from_table.type === "JOIN";
}

/** Whether it is such a SELECT in a query, whose rows are not cut before they are used. */
function isPart(node: SelectNode, request: SplitRequest): boolean {
  return node.modifiers.length === 0 && isWorthCarrying(node, request);
}

function joinTablesOf({ frame, own }: SplitRequest): JoinTables {
  return {
    fleet: (table) =>
      frame.tables.includes(table) ? lowerNames(frame.columnsRead[table] ?? []) : null,
    own: (name) => {
      const table = own.find((one) => one.name === name);
      return table === undefined ? null : lowerNames(table.columns);
    },
  };
}

/** The node as one SELECT over one of the tables, or over one joined with the asker's. */
function plainSourceOf(node: QueryNode, request: SplitRequest): Source | Obstacle {
  const { frame, shown, own } = request;
  if (frame.tables.length === 0) return { subject: "", node: null, why: "it reads no table" };
  const joined = own.length === 0 ? null : joinedTable(node, joinTablesOf(request));
  const single = singleTable(joined?.select ?? node);
  if (isObstacle(single)) return single;
  if (joined !== null) return { single, columns: joined.columns, join: joined.source };
  if (frame.tables.includes(single.table)) {
    return { single, columns: lowerNames(shown(single.table)), join: null };
  }
  return { subject: "", node: null, why: "it reads what WITH names" };
}

function names(part: AstNode, table: string): boolean {
  return isBaseTable(part) && part.table_name.toLowerCase() === table;
}

function lowerNames(columns: readonly Column[]): string[] {
  return namesOf(columns).map((name) => name.toLowerCase()); // as names in the tree are compared
}

function isBadSql(thrown: unknown): boolean {
  return thrown instanceof LogvendError && thrown.code === "bad_sql";
}
