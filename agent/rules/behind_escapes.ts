/** Replaces parts of a text, those too that escapes in quoted strings hide: `"se\u0063ret"`. */

const QUOTED = /"(?:[^"\\]|\\[\s\S])*"/g;

/** Strings in strings in strings: JSON that was logged as JSON. */
const DEPTH_MAX = 4;

/**
 * `replace` is given the text with as few escapes as JSON needs, and each string that needs some by
 * itself. Where that changes nothing it is given the text as it is.
 */
export function behindEscapes(
  text: string,
  replace: (text: string) => string,
  depth = 0,
): string {
  if (!text.includes("\\") || depth === DEPTH_MAX) return replace(text);
  const plain = text.replaceAll(QUOTED, (quoted) => {
    const value = valueOf(quoted);
    return value === null ? quoted : JSON.stringify(value);
  });
  // What was replaced already is not looked at again: a hash must not be hashed.
  const untouched = new Set(plain.match(QUOTED));
  const replaced = replace(plain).replaceAll(QUOTED, (quoted) => {
    const value = untouched.has(quoted) && quoted.includes("\\") ? valueOf(quoted) : null;
    if (value === null) return quoted;
    const inside = behindEscapes(value, replace, depth + 1);
    return inside === value ? quoted : JSON.stringify(inside);
  });
  return replaced === plain ? replace(text) : replaced;
}

/** Null: there is no escape in it, or one that JSON does not know. */
function valueOf(quoted: string): string | null {
  if (!quoted.includes("\\")) return null;
  try {
    return String(JSON.parse(quoted));
  } catch {
    return null; // the parser's way to say so
  }
}
