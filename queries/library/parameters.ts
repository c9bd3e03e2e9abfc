/** Parameters of a query, and the typed literals that stand for them in its SQL. */
import { LogvendError } from "../../protocol/errors.ts";
import { nearMiss } from "../../protocol/config/near_miss.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { parseDurationMs } from "../../protocol/units.ts";
import type { LibraryQuery } from "./header.ts";

export const PARAMETER_TYPES = ["text", "integer", "number", "duration"] as const;

export interface Parameter {
  name: string;
  type: typeof PARAMETER_TYPES[number];
  /** As it would be given; null: it has to be. */
  default: string | null;
  about: string;
}

/** What a `$` in quotes or in a comment says is no parameter. */
const QUOTED_OR_PARAMETER = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\$([a-z_]+)/g;

/** The parameters that SQL names, in order, each as often as it does. */
export function parametersIn(sql: string): string[] {
  return [...sql.matchAll(QUOTED_OR_PARAMETER)].flatMap(([, name]) => name ?? []);
}

/**
 * The SQL of a query with a literal for each parameter.
 * @param given `name=value`, as on a command line
 * @throws {LogvendError} usage: one is unknown, missing, given twice or of another type
 */
export function filledSql(query: LibraryQuery, given: readonly string[]): string {
  const values = valuesOf(query, given);
  const literals = new Map(query.parameters.map((parameter) => {
    const value = values.get(parameter.name) ?? parameter.default;
    if (value === null) {
      const { name, type, about } = parameter;
      throw new LogvendError("usage", `@${query.name} needs --param ${name}=… (${type}): ${about}`);
    }
    return [parameter.name, literalOf(parameter, value)];
  }));
  return query.sql.replace(
    QUOTED_OR_PARAMETER,
    (text, name: string | undefined) => literals.get(name ?? "") ?? text,
  );
}

function valuesOf(query: LibraryQuery, given: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const text of given) {
    const equals = text.indexOf("=");
    if (equals < 1) {
      throw new LogvendError("usage", `--param ${text}: wanted NAME=VALUE, e.g. limit=10`);
    }
    const name = text.slice(0, equals);
    const known = query.parameters.map((parameter) => parameter.name);
    if (!known.includes(name)) throw unknown(query.name, name, known);
    if (values.has(name)) {
      throw new LogvendError("usage", `--param ${name} is given twice: leave one out`);
    }
    values.set(name, text.slice(equals + 1));
  }
  return values;
}

function unknown(query: string, name: string, known: readonly string[]): LogvendError {
  const near = nearMiss(name, known);
  const hint = near === null ? "" : `. Did you mean ${near}?`;
  const list = known.length === 0 ? "none at all" : known.join(", ");
  return new LogvendError("usage", `@${query} has no parameter "${name}"; it has ${list}${hint}`);
}

/** As large as whole numbers are in every column. */
const INTEGER = /^\d{1,18}$/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** The value as SQL of its type. @throws {LogvendError} usage */
function literalOf({ name, type }: Parameter, value: string): string {
  const mistyped = (wanted: string) =>
    new LogvendError("usage", `--param ${name}=${value}: wanted ${wanted}`);
  switch (type) {
    case "text":
      return literal(value);
    case "integer":
      if (!INTEGER.test(value)) throw mistyped("a whole number, e.g. 10");
      return String(BigInt(value));
    case "number":
      if (!NUMBER.test(value)) throw mistyped("a number, e.g. 0.5");
      return `CAST('${value}' AS DOUBLE)`;
    case "duration":
      return `INTERVAL '${parseDurationMs(value, `--param ${name}`)} milliseconds'`;
    default:
      return type satisfies never;
  }
}
