/** Texts between quotes, with the escapes of JSON. */

/** An escape that JSON.stringify and DuckDB do not both write like that; a backslash has one, too. */
const ODD_ESCAPE = /(?<!\\)(?:\\\\)*\\(?!["\\bfnrt])/;

/** What a text says. */
export interface Unescaped {
  value: string;
  /** How a layout writes it; null: it does not. */
  kind: "text" | "json" | null;
}

/** Whether a text between quotes has escapes that do not come out again as they are. */
export function hasOddEscapes(inside: string): boolean {
  return ODD_ESCAPE.test(inside);
}

/** What stands between quotes; null: its escapes are wrong. */
export function unescaped(inside: string): Unescaped | null {
  if (!inside.includes("\\")) return { value: inside, kind: "text" };
  let parsed: string;
  try {
    parsed = String(JSON.parse(`"${inside}"`));
  } catch {
    return null; // the parser's way to say so
  }
  const value = parsed.toWellFormed();
  const isPlain = !hasOddEscapes(inside) && JSON.stringify(value) === `"${inside}"`;
  return { value, kind: isPlain ? "json" : null };
}
