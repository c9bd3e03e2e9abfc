/** Columns of an answer: their names made distinct, their types made those of the original. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { sameColumns } from "../columns.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";

/** Names as CREATE TABLE AS makes them: a second `a` becomes `a_1`. */
export function distinctNames(columns: readonly Column[]): Column[] {
  const counts = new Map<string, number>();
  return columns.map(({ name, type }) => {
    const own = name.toLowerCase();
    let distinct = name;
    for (let i = counts.get(own) ?? 0; counts.has(distinct.toLowerCase()); i++) {
      distinct = `${name}_${i}`;
      counts.set(own, i + 1);
    }
    counts.set(distinct.toLowerCase(), 1);
    return { name: distinct, type };
  });
}

/**
 * SQL that gives `wanted`, from SQL that gives the same values as `given`.
 * @throws {LogvendError} bad_sql, where fields of a STRUCT have other names: a cast would empty them
 */
export function conformed(
  sql: string,
  given: readonly Column[],
  wanted: readonly Column[],
): string {
  if (sameColumns(given, wanted)) return sql;
  const renamed = wanted.find(({ type }, i) => quotedIn(type) !== quotedIn(given[i]?.type ?? ""));
  if (renamed !== undefined) {
    throw new LogvendError(
      "bad_sql",
      `Fields of the column ${renamed.name} lose their names on the way: ` +
        "name the columns of its subquery (… AS n)",
    );
  }
  const inner = wanted.map((_, i) => `c${i}`);
  const outer = wanted.map(({ name, type }, i) => {
    const value = given[i]?.type === type ? `c${i}` : `CAST(c${i} AS ${type})`;
    return `${value} AS ${identifier(name)}`;
  });
  return `SELECT ${outer.join(", ")} FROM (${sql}) AS answer(${inner.join(", ")})`;
}

/** Names in a type that are expressions. */
function quotedIn(type: string): string {
  return (type.match(/"(?:[^"]|"")*"/g) ?? []).join();
}
