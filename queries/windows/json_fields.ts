/** Columns as fields of a JSON document, such that every JSON reader reads what was there. */
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier, literal } from "../../protocol/schema/table_sql.ts";

/** Beyond, doubles do not tell neighbours apart, and readers of JSON have doubles. */
const SAFE_MAX = Number.MAX_SAFE_INTEGER;

/** Decimals of more digits are not told apart by doubles. */
const DECIMAL_DIGITS_MAX = 15;

/** An expression that gives a JSON object of these columns. */
export function jsonObject(columns: readonly Column[]): string {
  const fields = columns.map(({ name, type }) =>
    `${literal(name)}, ${valueOf(identifier(name), type)}`
  );
  return `json_object(${fields.join(", ")})`;
}

/** What is no number in JSON is NULL; whole numbers that are too long are texts. */
function valueOf(column: string, type: string): string {
  if (type === "DOUBLE" || type === "FLOAT") {
    return `CASE WHEN isfinite(${column}) THEN to_json(${column}) END`;
  }
  const text = `to_json(${column}::VARCHAR)`;
  if (/^U?(BIGINT|HUGEINT)$/.test(type)) {
    const isShort = `${column} BETWEEN -${SAFE_MAX} AND ${SAFE_MAX}`;
    return `CASE WHEN ${isShort} THEN to_json(${column}) ELSE ${text} END`;
  }
  const [, digits] = /^DECIMAL\((\d+),\d+\)$/.exec(type) ?? [];
  return Number(digits ?? 0) > DECIMAL_DIGITS_MAX ? text : column;
}
