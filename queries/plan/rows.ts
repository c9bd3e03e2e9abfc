/** Ships the rows that a query needs, as few and as narrow as is surely right. */
import { baseTable, columnRef, conjunction, isBaseTable, isColumnRef } from "../ast_nodes.ts";
import { isFunctionCall, isSelect, rewrite, select, some, walk } from "../ast_nodes.ts";
import type { AstNode, BaseTable, Expression, QueryNode, SelectNode } from "../ast_nodes.ts";
import { ignoresDuplicates } from "./merges.ts";
import { baseTablesOf, conjunctsOf, isAggregate, isClass, isVolatile, stringsOf } from "./shape.ts";
import { isObstacle, isPlainDistinct, singleTable } from "./shape.ts";

/** What a host runs for `table`; the merge runs the query as it was asked over what comes. */
export function shipRows(node: QueryNode, table: string, columns: readonly string[]): SelectNode {
  const needed = neededColumns(node, columns);
  const shipped = select(needed.map((name) => columnRef(name)), baseTable(table));
  return {
    ...shipped,
    where_clause: predicate(node, table, columns),
    modifiers: duplicatesMatter(node)
      ? []
      : [{ type: "DISTINCT_MODIFIER", distinct_on_targets: [] }],
  };
}

/** The columns of `table` that the query may read, in order; at least one, so that rows count. */
export function neededColumns(
  node: QueryNode,
  columns: readonly string[],
): readonly string[] {
  if (readsWholeRows(node)) return columns;
  const used = stringsOf(node);
  const needed = columns.filter((name) => used.has(name.toLowerCase()));
  return needed.length > 0 ? needed : columns.slice(0, 1);
}

/** `*`, positions, the table as a value, NATURAL joins and the like need every column. */
function readsWholeRows(node: QueryNode): boolean {
  const sources = new Set(
    walk(node).filter(isBaseTable).flatMap((ref) => [ref.alias, ref.table_name])
      .map((name) => name.toLowerCase()),
  );
  return some(
    node,
    (part) =>
      isClass("STAR", "POSITIONAL_REFERENCE")(part) || part["type"] === "PIVOT" ||
      part["ref_type"] === "NATURAL" ||
      (isBaseTable(part) && part.column_name_alias.length > 0) ||
      (isColumnRef(part) && sources.has(part.column_names.at(-1)?.toLowerCase() ?? "")),
  );
}

/** A condition that every needed row fulfils: what each mention of the table demands, or-ed. */
function predicate(node: QueryNode, table: string, columns: readonly string[]): Expression | null {
  const demands = demandsOn(node, table, columns).map(conjunction);
  const known = demands.filter((demand) => demand !== null);
  const [first, ...more] = known;
  if (known.length < demands.length) return null;
  if (first === undefined || more.length === 0) return first ?? null;
  return { ...conjunction([first, ...more]) ?? first, type: "CONJUNCTION_OR" };
}

/**
 * What each mention of the table demands of its rows: conditions that all must hold, with bare
 * column names. None: any row may matter.
 */
export function demandsOn(
  node: QueryNode,
  table: string,
  columns: readonly string[],
): Expression[][] {
  const mentions = walk(node).filter((part) => isMention(part, table)).toArray();
  const demands = walk(node).filter(isSelect).flatMap((reader) =>
    baseTablesOf(reader.from_table).filter((ref) => isMention(ref, table))
      .map((ref) => demandOf(reader, ref, columns))
  ).toArray();
  return mentions.length === demands.length ? demands : [[]];
}

function isMention(part: AstNode, table: string): part is BaseTable {
  return isBaseTable(part) && part.table_name.toLowerCase() === table;
}

/** The conjuncts of a SELECT's WHERE that concern this table alone. */
function demandOf(
  reader: SelectNode,
  ref: BaseTable,
  columns: readonly string[],
): Expression[] {
  if (reader.sample !== null || ref.sample !== null || ref.column_name_alias.length > 0) return [];
  if (!keepsFilters(reader.from_table, ref)) return [];
  const alone = reader.from_table === ref;
  const qualifier = (ref.alias || ref.table_name).toLowerCase();
  const local = conjunctsOf(reader.where_clause).map((conjunct) => {
    if (some(conjunct, (part) => isClass("SUBQUERY", "WINDOW", "POSITIONAL_REFERENCE")(part))) {
      return null;
    }
    return some(conjunct, isVolatile) ? null : localized(conjunct, { alone, qualifier, columns });
  });
  return local.filter((conjunct) => conjunct !== null);
}

interface Locality {
  /** The table is the only one of its SELECT: bare names are its columns. */
  alone: boolean;
  qualifier: string;
  columns: readonly string[];
}

/** The conjunct with bare column names; null when a name may be something else. */
function localized(conjunct: Expression, { alone, qualifier, columns }: Locality) {
  let local = !columns.includes(qualifier);
  const bare = rewrite(conjunct, (part) => {
    if (!isColumnRef(part)) return undefined;
    const [first = "", second, ...more] = part.column_names.map((name) => name.toLowerCase());
    const column = second === undefined ? (alone ? first : "") : first === qualifier ? second : "";
    local &&= more.length === 0 && columns.includes(column);
    return { ...part, column_names: [column] };
  });
  return local ? bare : null;
}

/** Says whether a filter on the table may go below the joins between it and WHERE. */
function keepsFilters(from: AstNode, table: BaseTable): boolean {
  if (from === table) return true;
  if (from["type"] !== "JOIN") return false;
  if (!["REGULAR", "CROSS", "NATURAL"].includes(String(from["ref_type"]))) return false;
  const sides = { INNER: ["left", "right"], LEFT: ["left"], RIGHT: ["right"] };
  const kept = Object.entries(sides).find(([type]) => type === from["join_type"])?.[1] ??
    (["SEMI", "ANTI"].includes(String(from["join_type"])) ? ["left"] : []);
  return kept.some((side) => keepsFilters(from[side] as AstNode, table));
}

/** Rows that agree in all needed columns may travel once where only different ones count. */
function duplicatesMatter(node: QueryNode): boolean {
  const single = singleTable(node);
  if (isObstacle(single) || some(node, isClass("WINDOW"))) return true;
  const { select: whole } = single;
  const calls = walk(node).filter(isAggregate).filter(isFunctionCall).toArray();
  const distinct = whole.modifiers.some(isPlainDistinct);
  const collapses = distinct || calls.length > 0 || whole.group_expressions.length > 0;
  return !(collapses && calls.every(ignoresDuplicates));
}
