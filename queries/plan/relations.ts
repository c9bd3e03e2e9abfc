/** Gives SQL the tables that it reads, as parts of WITH. */
import { identifier } from "../../protocol/schema/table_sql.ts";

/** The text of a query with tables, each `[name, SELECT]`, put in front of its own WITH. */
export function withTables(tables: readonly (readonly [string, string])[], sql: string): string {
  if (tables.length === 0) return sql;
  const list = tables.map(([name, select]) => `${identifier(name)} AS (${select})`).join(", ");
  const own = /^WITH (RECURSIVE )?/.exec(sql);
  if (own === null) return `WITH ${list} ${sql}`;
  return `${own[0]}${list}, ${sql.slice(own[0].length)}`;
}
