/** The library: questions that come up again and again, each by a name. */
import { LogvendError } from "../../protocol/errors.ts";
import { nearMiss } from "../../protocol/config/near_miss.ts";
import { parseLibraryQuery } from "./header.ts";
import type { LibraryQuery } from "./header.ts";
import { filledSql } from "./parameters.ts";
import { TEXTS } from "./texts.ts";

/** Of all queries, in the order they are shown in. */
export const LIBRARY_NAMES: readonly string[] = Object.keys(TEXTS);

/** A query by its name. @throws {LogvendError} usage, when there is none */
export function libraryQuery(name: string): LibraryQuery {
  return parseLibraryQuery(name, libraryText(name));
}

/** Its file: the SQL under what it is for. @throws {LogvendError} usage, when there is none */
export function libraryText(name: string): string {
  const text = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined;
  if (text !== undefined) return text;
  const near = nearMiss(name, LIBRARY_NAMES);
  const hint = near === null ? "" : `. Did you mean ${near}?`;
  throw new LogvendError(
    "usage",
    `The library has no query "${name}"; logvend library list shows all${hint}`,
  );
}

/**
 * The SQL that is asked: that of `@name` with its parameters, any other as it is.
 * @param parameters each `name=value`
 * @throws {LogvendError} usage
 */
export function askedSql(sql: string, parameters: readonly string[] = []): string {
  const name = /^\s*@(.*?)\s*$/s.exec(sql)?.[1];
  if (name !== undefined) return filledSql(libraryQuery(name), parameters);
  if (parameters.length === 0) return sql;
  throw new LogvendError(
    "usage",
    "--param belongs to a query of the library: give @NAME instead of SQL",
  );
}
