/** What a SELECT is made of, as far as the planner needs to know. */
import { isBaseTable, isColumnRef, isExpression, isFunctionCall, isSelect } from "../ast_nodes.ts";
import { find } from "../ast_nodes.ts";
import type { AstNode, AstValue, BaseTable, Expression, QueryNode } from "../ast_nodes.ts";
import type { SelectNode } from "../ast_nodes.ts";
import { AGGREGATES, ROW_MAKERS, VOLATILE } from "../gate_functions.ts";

/** Why a query cannot be split: "{subject} at 1:8 {why}". An expression is shown as SQL. */
export interface Obstacle {
  subject: string | Expression;
  /** Where in the SQL; null for the query as a whole. */
  node: AstNode | null;
  why: string;
}

/** A SELECT over nothing but one table of the fleet, as it stands there. */
export interface SingleTable {
  select: SelectNode;
  /** In lower case, as the tables of the fleet are; WITH may have another one of that name. */
  table: string;
  /** Names that may stand before a column of the table: its alias, else its name. */
  qualifier: string;
}

export function isAggregate(node: AstNode): boolean {
  return isFunctionCall(node) && AGGREGATES.has(node.function_name.toLowerCase());
}

export function isVolatile(node: AstNode): boolean {
  return isFunctionCall(node) && VOLATILE.has(node.function_name.toLowerCase());
}

export function isClass(...classes: string[]): (node: AstNode) => boolean {
  return (node) => isExpression(node) && classes.includes(node.class);
}

/** `x COLLATE NOCASE`: no column has a collation, nor has what hosts send. */
export const hasCollation = isClass("COLLATE");

/** A call that makes several rows of one. */
function isRowMaker(node: AstNode): boolean {
  return isFunctionCall(node) && ROW_MAKERS.has(node.function_name.toLowerCase());
}

/** The query as one SELECT over one table, or what keeps it from being that. */
export function singleTable(node: QueryNode): SingleTable | Obstacle {
  const volatile = find(node, isVolatile);
  if (volatile !== undefined) {
    return obstacle(volatile, "must run once, where the answer is merged");
  }
  if (!isSelect(node)) return whole("it combines the rows of several SELECTs");
  if (node.cte_map.map.length > 0) return whole("WITH is not split between hosts");
  const from = node.from_table;
  if (!isBaseTable(from)) return { subject: nameOfSource(from.type), node: from, why: NEEDS_ROWS };
  if (from.sample !== null || node.sample !== null) return whole("a sample is drawn from all rows");
  if (from.column_name_alias.length > 0) return whole("the table's columns are renamed");
  const part = find(node, (child) => isClass("SUBQUERY")(child) || isRowMaker(child));
  if (part !== undefined) {
    return isRowMaker(part)
      ? obstacle(part, "makes rows")
      : { subject: "the subquery", node: part, why: NEEDS_ROWS };
  }
  const table = from.table_name.toLowerCase();
  return { select: node, table, qualifier: from.alias.toLowerCase() || table };
}

const NEEDS_ROWS = "needs the rows themselves";

function nameOfSource(type: string): string {
  switch (type) {
    case "JOIN":
      return "the join";
    case "SUBQUERY":
      return "the subquery in FROM";
    case "PIVOT":
      return "PIVOT";
    default:
      return "FROM";
  }
}

export function isObstacle<T extends object>(value: T | Obstacle): value is Obstacle {
  return "why" in value;
}

export function obstacle(node: AstNode, why: string): Obstacle {
  return { subject: isExpression(node) ? node : "it", node, why };
}

function whole(why: string): Obstacle {
  return { subject: "", node: null, why };
}

/** DISTINCT, not DISTINCT ON. */
export function isPlainDistinct({ type, distinct_on_targets: targets }: AstNode): boolean {
  return type === "DISTINCT_MODIFIER" && Array.isArray(targets) && targets.length === 0;
}

/** The parts of a condition that all must hold. */
export function conjunctsOf(condition: Expression | null): Expression[] {
  if (condition === null) return [];
  if (condition.type !== "CONJUNCTION_AND") return [condition];
  const children = condition["children"] as Expression[]; // of every conjunction
  return children.flatMap(conjunctsOf);
}

/** The unqualified name of a column reference, in lower case; null for all else. */
export function bareName(node: AstNode): string | null {
  if (!isColumnRef(node) || node.column_names.length !== 1) return null;
  return node.column_names[0]?.toLowerCase() ?? null;
}

/** The base tables of a FROM, without those inside its subqueries. */
export function baseTablesOf(from: AstNode): BaseTable[] {
  if (isBaseTable(from)) return [from];
  if (from["type"] !== "JOIN") return [];
  return [from["left"], from["right"]].flatMap((side) => baseTablesOf(side as AstNode));
}

/** Every string in the tree, in lower case: a name that is not among them is not used. */
export function stringsOf(value: AstValue, into = new Set<string>()): Set<string> {
  if (typeof value === "string") into.add(value.toLowerCase());
  else if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) stringsOf(child, into);
  }
  return into;
}
