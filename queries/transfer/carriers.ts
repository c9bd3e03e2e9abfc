/** Which types survive the way between machines, and in what form. */

/** Parquet keeps these exactly. */
const EXACT = new Set([
  "BIGINT",
  "BLOB",
  "BOOLEAN",
  "DATE",
  "DECIMAL",
  "DOUBLE",
  "FLOAT",
  "INTEGER",
  "SMALLINT",
  "TIME",
  "TIMESTAMP",
  "TIMESTAMP WITH TIME ZONE",
  "TIMESTAMP_NS",
  "TINYINT",
  "UBIGINT",
  "UINTEGER",
  "USMALLINT",
  "UTINYINT",
  "UUID",
  "VARCHAR",
]);

/** Parquet loses digits of these, or the type; as text they are exact. */
const AS_TEXT = new Set([
  "BIGNUM",
  "BIT",
  "ENUM",
  "HUGEINT",
  "INTERVAL",
  "JSON",
  "TIME WITH TIME ZONE",
  "TIMESTAMP_MS",
  "TIMESTAMP_S",
  "UHUGEINT",
]);

const NESTED = /\[\d*\]$|^(STRUCT|MAP|UNION)\(/;

/** Says whether a type, named as DESCRIBE does, is made of others. */
export function isNested(type: string): boolean {
  return NESTED.test(type);
}

/**
 * The type that a column travels as in Parquet: its own, or VARCHAR; null when there is none.
 * Nested types travel when everything in them is exact; fixed arrays and unions do not.
 */
export function carrierOf(type: string): string | null {
  if (isNested(type)) return isExact(type) ? type : null;
  const base = baseOf(type);
  if (EXACT.has(base)) return type;
  return AS_TEXT.has(base) ? "VARCHAR" : null;
}

function baseOf(type: string): string {
  return type.replace(/\(.*\)$/s, "");
}

function isExact(type: string): boolean {
  if (type.endsWith("[]")) return isExact(type.slice(0, -2));
  const struct = /^(STRUCT|MAP)\((.*)\)$/s.exec(type);
  if (struct === null) return !isNested(type) && EXACT.has(baseOf(type));
  const [, kind, inside = ""] = struct;
  const members = membersOf(inside);
  return members.every((member) => isExact(kind === "MAP" ? member : withoutName(member)));
}

/** Splits at the commas that stand outside quotes and parentheses. */
function membersOf(inside: string): string[] {
  const members: string[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of inside.matchAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|[(),]/g)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (token === "," && depth === 0) {
      members.push(inside.slice(start, index).trim());
      start = index + 1;
    }
  }
  return [...members, inside.slice(start).trim()];
}

/** `"a b" INTEGER` -> `INTEGER`, `c VARCHAR[]` -> `VARCHAR[]`. */
function withoutName(member: string): string {
  return member.replace(/^("(?:[^"]|"")*"|\S+)\s+/, "");
}
