/** Masked columns as SQL: what a query sees instead of the values. */
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import type { Policy } from "./policy_config.ts";

/** The SELECT of a table in which masked columns hold what may be shown. */
export function maskedSelect(
  select: string,
  columns: readonly Column[],
  mask: Policy["mask"],
): string {
  const shown = new Map(Object.entries(mask).map(([name, how]) => [name.toLowerCase(), how]));
  const replaced = columns.flatMap(({ name, type }) =>
    shown.get(name.toLowerCase()) === "prefix24"
      ? [`TRY_CAST(${prefixOf(identifier(name))} AS ${type}) AS ${identifier(name)}`]
      : []
  );
  return replaced.length === 0
    ? select
    : `SELECT * REPLACE (${replaced.join(", ")}) FROM (${select})`;
}

/** The network of an address: /24 of IPv4, /32 of IPv6. What is none may be anything: NULL. */
function prefixOf(column: string): string {
  const text = `${column}::VARCHAR`;
  return `CASE
    WHEN regexp_full_match(${text}, '\\d{1,3}(\\.\\d{1,3}){3}') THEN regexp_replace(${text}, '\\d+$', '0')
    WHEN regexp_full_match(${text}, '[0-9a-fA-F.]*(:[0-9a-fA-F.]*){2,}')
      THEN rtrim(regexp_extract(${text}, '^[0-9a-fA-F]*:[0-9a-fA-F]*'), ':') || '::'
  END`;
}
