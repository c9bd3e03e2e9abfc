/** The objects of DuckDB's JSON AST: their shapes, how to walk, copy, compare and make them. */
import { isRawNumber } from "./lossless_json.ts";
import type { RawNumber } from "./lossless_json.ts";

export type AstValue = string | number | boolean | null | RawNumber | AstNode | AstValue[];

/** Any object of the tree: query nodes, table references, expressions, types, modifiers. */
export interface AstNode {
  [key: string]: AstValue;
}

export interface Expression extends AstNode {
  class: string;
  type: string;
  alias: string;
  query_location: number | RawNumber;
}

export interface ColumnRef extends Expression {
  class: "COLUMN_REF";
  column_names: string[];
}

export interface FunctionCall extends Expression {
  class: "FUNCTION";
  function_name: string;
  children: Expression[];
  filter: Expression | null;
  order_bys: { type: "ORDER_MODIFIER"; orders: AstNode[] };
  distinct: boolean;
}

export interface TableRef extends AstNode {
  type: string;
  alias: string;
  sample: AstNode | null;
  query_location: number | RawNumber;
}

export interface BaseTable extends TableRef {
  type: "BASE_TABLE";
  table_name: string;
  column_name_alias: string[];
}

export interface OrderModifier extends AstNode {
  type: "ORDER_MODIFIER";
  orders: (AstNode & { expression: Expression })[];
}

export interface LimitModifier extends AstNode {
  type: "LIMIT_MODIFIER";
  limit: Expression | null;
  offset: Expression | null;
}

/** SELECT_NODE, SET_OPERATION_NODE, RECURSIVE_CTE_NODE. */
export interface QueryNode extends AstNode {
  type: string;
  modifiers: AstNode[];
  cte_map: { map: { key: string; value: AstNode }[] };
}

export interface SelectNode extends QueryNode {
  type: "SELECT_NODE";
  select_list: Expression[];
  from_table: TableRef;
  where_clause: Expression | null;
  group_expressions: Expression[];
  group_sets: number[][];
  aggregate_handling: "STANDARD_HANDLING" | "FORCE_AGGREGATES" | "NO_AGGREGATES_ALLOWED";
  having: Expression | null;
  sample: AstNode | null;
  qualify: Expression | null;
}

/** An object of the tree, not a raw number. */
export function isNode(value: AstValue | undefined): value is AstNode {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !isRawNumber(value);
}

/** Expressions have a class; query nodes, tables and modifiers have none. */
export function isExpression(node: AstNode): node is Expression {
  return typeof node["class"] === "string";
}

/** Also SQL's words without parentheses, such as current_date. */
export function isColumnRef(node: AstNode): node is ColumnRef {
  return node["class"] === "COLUMN_REF";
}

/** Scalar and aggregate functions, operators too; not window functions. */
export function isFunctionCall(node: AstNode): node is FunctionCall {
  return node["class"] === "FUNCTION";
}

/** A table by name: of the fleet, or from WITH. */
export function isBaseTable(node: AstNode): node is BaseTable {
  return node["type"] === "BASE_TABLE" && !isExpression(node);
}

/** SELECT … FROM … WHERE …, not UNION and the like. */
export function isSelect(node: AstNode): node is SelectNode {
  return node["type"] === "SELECT_NODE";
}

/** Every object of the tree, parents first. */
export function* walk(value: AstValue): Generator<AstNode> {
  const ahead = [value]; // no generator in a generator: a tree is deep, and each level would cost
  while (ahead.length > 0) {
    const next = ahead.pop();
    if (Array.isArray(next)) ahead.push(...next.toReversed());
    else if (isNode(next)) {
      yield next;
      ahead.push(...Object.values(next).reverse());
    }
  }
}

/** Says whether any object of the tree passes the test. */
export function some(value: AstValue, test: (node: AstNode) => boolean): boolean {
  return find(value, test) !== undefined;
}

/** The first object of the tree, parents first, that passes the test. */
export function find(value: AstValue, test: (node: AstNode) => boolean): AstNode | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value)) {
    if (!isNode(value)) return undefined;
    if (test(value)) return value;
  }
  for (const child of Object.values(value)) {
    const found = find(child, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The tree, in which `replace` may put another node in a node's place (not descended into). What has
 * no such node in it is not copied.
 */
export function rewrite<T extends AstValue>(
  value: T,
  replace: (node: AstNode) => AstNode | undefined,
): T {
  return rewriteValue(value, replace) as T; // replace() keeps an expression an expression
}

function rewriteValue(
  value: AstValue,
  replace: (node: AstNode) => AstNode | undefined,
): AstValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => rewriteValue(item, replace));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isNode(value)) return value;
  const other = replace(value);
  if (other !== undefined) return other;
  let copy: AstNode | null = null;
  for (const [key, child] of Object.entries(value)) {
    const rewritten = rewriteValue(child, replace);
    if (rewritten === child) continue;
    copy ??= { ...value };
    copy[key] = rewritten;
  }
  return copy ?? value;
}

/** A text that is the same for expressions that differ in alias and place alone. */
export function identity(expression: Expression): string {
  return JSON.stringify(
    { ...expression, alias: "" },
    (key, value: unknown) => key === "query_location" ? undefined : value,
  );
}

/** Byte offset in the SQL; null for nodes that the parser made up. */
export function locationOf(node: AstNode): number | null {
  const location = node["query_location"];
  return typeof location === "number" ? location : null;
}

/** A constant that is a whole number, e.g. of LIMIT or ORDER BY 2; null for anything else. */
export function integerOf(expression: AstNode | null): number | null {
  if (expression?.["class"] !== "CONSTANT" || !isNode(expression["value"])) return null;
  const { type, is_null: isNull, value } = expression["value"];
  const id = isNode(type) ? type["id"] : null;
  const whole = (id === "INTEGER" || id === "BIGINT") && isNull === false;
  return whole && typeof value === "number" ? value : null;
}

/** The text of a VARCHAR literal; null for anything else. */
export function textOf(value: AstValue | undefined): string | null {
  if (!isNode(value) || value["class"] !== "CONSTANT" || !isNode(value["value"])) return null;
  const { type, is_null: isNull, value: text } = value["value"];
  const isText = isNode(type) && type["id"] === "VARCHAR" && isNull === false;
  return isText && typeof text === "string" ? text : null;
}

const NOWHERE = 0;

/** `a` or `table.a`. */
export function columnRef(...names: string[]): ColumnRef {
  return {
    class: "COLUMN_REF",
    type: "COLUMN_REF",
    alias: "",
    query_location: NOWHERE,
    column_names: names,
  };
}

/** `name(children)`; the name `/` is an operator. */
export function call(name: string, ...children: Expression[]): FunctionCall {
  return {
    class: "FUNCTION",
    type: "FUNCTION",
    alias: "",
    query_location: NOWHERE,
    function_name: name,
    schema: "",
    children,
    filter: null,
    order_bys: { type: "ORDER_MODIFIER", orders: [] },
    distinct: false,
    is_operator: name === "/",
    export_state: false,
    catalog: "",
  };
}

/** `COALESCE(children)`. */
export function coalesce(...children: Expression[]): Expression {
  return {
    class: "OPERATOR",
    type: "OPERATOR_COALESCE",
    alias: "",
    query_location: NOWHERE,
    children,
  };
}

/** `type` without parameters, as the AST names it: BIGINT, TIMESTAMP WITH TIME ZONE. */
export function cast(child: Expression, type: string): Expression {
  return {
    class: "CAST",
    type: "OPERATOR_CAST",
    alias: "",
    query_location: NOWHERE,
    child,
    cast_type: typeNode(type),
    try_cast: false,
  };
}

function typeNode(type: string): AstNode {
  const [, width, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (width === undefined) return { id: type, type_info: null };
  const info = { type: "DECIMAL_TYPE_INFO", alias: "", extension_info: null };
  return { id: "DECIMAL", type_info: { ...info, width: Number(width), scale: Number(scale) } };
}

/** A BIGINT or a VARCHAR literal. */
export function constant(value: number | string): Expression {
  return {
    class: "CONSTANT",
    type: "VALUE_CONSTANT",
    alias: "",
    query_location: NOWHERE,
    value: {
      type: { id: typeof value === "number" ? "BIGINT" : "VARCHAR", type_info: null },
      is_null: false,
      value,
    },
  };
}

/** NULL, of the type that its place asks for. */
export function nullConstant(): Expression {
  return {
    class: "CONSTANT",
    type: "VALUE_CONSTANT",
    alias: "",
    query_location: NOWHERE,
    value: { type: { id: "NULL", type_info: null }, is_null: true },
  };
}

/** `*` */
export function allColumns(): Expression {
  return {
    class: "STAR",
    type: "STAR",
    alias: "",
    query_location: NOWHERE,
    relation_name: "",
    exclude_list: [],
    replace_list: [],
    columns: false,
    expr: null,
    qualified_exclude_list: [],
    rename_list: [],
  };
}

/** The children joined by AND; null for none. */
export function conjunction(children: Expression[]): Expression | null {
  if (children.length < 2) return children[0] ?? null;
  return {
    class: "CONJUNCTION",
    type: "CONJUNCTION_AND",
    alias: "",
    query_location: NOWHERE,
    children,
  };
}

/** A table by its name. */
export function baseTable(name: string): BaseTable {
  return {
    type: "BASE_TABLE",
    alias: "",
    sample: null,
    query_location: NOWHERE,
    schema_name: "",
    table_name: name,
    column_name_alias: [],
    catalog_name: "",
    at_clause: null,
  };
}

/** `(node) AS alias`. */
export function subqueryTable(node: QueryNode, alias: string): TableRef {
  return {
    type: "SUBQUERY",
    alias,
    sample: null,
    query_location: NOWHERE,
    subquery: { node, named_param_map: [] },
    column_name_alias: [],
  };
}

/** `SELECT list FROM from`; the caller adds the rest. */
export function select(list: Expression[], from: TableRef): SelectNode {
  return {
    type: "SELECT_NODE",
    modifiers: [],
    cte_map: { map: [] },
    select_list: list,
    from_table: from,
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: "STANDARD_HANDLING",
    having: null,
    sample: null,
    qualify: null,
  };
}

/** The rows of all. There must be one node at least. */
export function unionAll(nodes: readonly QueryNode[]): QueryNode {
  return nodes.reduce((left, right) => ({
    type: "SET_OPERATION_NODE",
    modifiers: [],
    cte_map: { map: [] },
    setop_type: "UNION",
    left,
    right,
    setop_all: true,
  }));
}

/** `expression AS alias`; an empty alias takes it off. */
export function named(expression: Expression, alias: string): Expression {
  return { ...expression, alias };
}
