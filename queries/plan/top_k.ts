/** Splits SELECT … [ORDER BY …] LIMIT k: the first k of all are among the first k of each host. */
import { columnRef, constant, integerOf, named, select, some } from "../ast_nodes.ts";
import { subqueryTable } from "../ast_nodes.ts";
import type { LimitModifier, SelectNode } from "../ast_nodes.ts";
import { isClass, isPlainDistinct, stringsOf } from "./shape.ts";
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
  const distinct = whole.modifiers.find(({ type }) => type === "DISTINCT_MODIFIER");
  // DISTINCT ON keeps the first row of each group: on a host, as of all.
  const isFirstOfGroups = distinct !== undefined && !isPlainDistinct(distinct);
  const rowCount = rowsWanted(whole);
  if (!isFirstOfGroups && rowCount === null) {
    return { subject: "", node: null, why: "it asks for rows without a LIMIT" };
  }
  if (!isFirstOfGroups && Number(rowCount) > rowsMax) {
    return { subject: "", node: null, why: `LIMIT and OFFSET ask for ${rowCount} rows` };
  }
  if (some(whole, isClass("WINDOW")) || (distinct !== undefined && !isFirstOfGroups)) {
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
    modifiers: whole.modifiers.flatMap((modifier) => {
      if (modifier["type"] !== "LIMIT_MODIFIER") return [modifier];
      if (isFirstOfGroups || rowCount === null) return [];
      return [{ ...modifier, limit: constant(rowCount), offset: null }];
    }),
  };
  return select(
    columns.map((name, i) => named(columnRef(`__c${i}`), name)),
    subqueryTable(inner, "first_rows"),
  );
}

/** LIMIT plus OFFSET, where both are plain numbers. */
export function rowsWanted(whole: SelectNode): number | null {
  const modifier = whole.modifiers.find(({ type }) => type === "LIMIT_MODIFIER");
  if (modifier === undefined) return null;
  const { limit, offset } = modifier as LimitModifier;
  const count = integerOf(limit);
  const skipped = offset === null ? 0 : integerOf(offset);
  return count === null || skipped === null ? null : count + skipped;
}
