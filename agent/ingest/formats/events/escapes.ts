/** Texts between quotes, with the escapes of JSON. */

/** Escapes that come out as JSON.stringify and DuckDB both write them. */
const ODD_ESCAPE = /\\(?!["\\bfnrt])/;

/** What a text says. */
export interface Unescaped {
  value: string;
  /** How a layout writes it; null: it does not. */
  kind: "text" | "json" | null;
}

/** Null: its escapes are wrong. */
export function unescaped(inside: string): Unescaped | null {
  if (!inside.includes("\\")) return { value: inside, kind: "text" };
  let parsed: string;
  try {
    parsed = String(JSON.parse(`"${inside}"`));
  } catch {
    return null; // the parser's way to say so
  }
  const value = parsed.toWellFormed();
  const isPlain = !ODD_ESCAPE.test(inside) && JSON.stringify(value) === `"${inside}"`;
  return { value, kind: isPlain ? "json" : null };
}
