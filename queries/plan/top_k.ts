/** Splits SELECT … [ORDER BY …] LIMIT k: the first k of all are among the first k of each host. */
import { columnRef, constant, find, integerOf, named, select } from "../ast_nodes.ts";
import { subqueryTable } from "../ast_nodes.ts";
import type { LimitModifier, SelectNode } from "../ast_nodes.ts";
import { isClass, stringsOf } from "./shape.ts";
import type { Obstacle, SingleTable } from "./shape.ts";

/**
 * What a host runs. It ships the rows of the table: the merge runs the query as it was asked.
 * `columns` are those of the table that the query needs.
 */
export function splitTopK(
  { select: whole }: SingleTable,
  columns: readonly string[],
  rowsMax: number,
): SelectNode | Obstacle {
  const rowCount = rowsWanted(whole);
  if (rowCount === null) {
    return { subject: "", node: null, why: "it asks for rows without a LIMIT" };
  }
  if (rowCount > rowsMax) {
    return { subject: "", node: null, why: `LIMIT and OFFSET ask for ${rowCount} rows` };
  }
  const ties = find(whole, isClass("WINDOW")) ??
    whole.modifiers.find(({ type }) => type === "DISTINCT_MODIFIER");
  if (ties !== undefined) {
    return { subject: "", node: null, why: "a window or DISTINCT looks at other rows too" };
  }
  const names = stringsOf(whole);
  if (columns.some((_, i) => names.has(`__c${i}`))) {
    return { subject: "", node: null, why: "it uses names such as __c0, which are reserved" };
  }
  // The list as asked stays inside: ORDER BY may name its aliases and positions.
  const shipped = columns.map((name, i) => named(columnRef(name), `__c${i}`));
  const inner: SelectNode = {
    ...whole,
    select_list: [...whole.select_list, ...shipped],
    modifiers: whole.modifiers.map((modifier) =>
      modifier["type"] === "LIMIT_MODIFIER"
        ? { ...modifier, limit: constant(rowCount), offset: null }
        : modifier
    ),
  };
  return select(
    columns.map((name, i) => named(columnRef(`__c${i}`), name)),
    subqueryTable(inner, "first_rows"),
  );
}

/** LIMIT plus OFFSET, where both are plain numbers. */
function rowsWanted(whole: SelectNode): number | null {
  const modifier = whole.modifiers.find(({ type }) => type === "LIMIT_MODIFIER");
  if (modifier === undefined) return null;
  const { limit, offset } = modifier as LimitModifier;
  const count = integerOf(limit);
  const skipped = offset === null ? 0 : integerOf(offset);
  return count === null || skipped === null ? null : count + skipped;
}
