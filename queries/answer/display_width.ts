/** How many cells of a terminal a text takes, and how much of it fits into so many. */

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** Drawn onto what comes before: accents, the joined parts of an emoji, its skin colour. */
const NO_CELL =
  /\u200d\p{Extended_Pictographic}|[\p{Mn}\p{Me}\p{Emoji_Modifier}\u200b-\u200f\u2060-\u2064\ufeff]/gu;

/** Two cells: East Asian Wide and Fullwidth (Unicode UAX #11), and emoji that are pictures. */
const TWO_CELLS =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|(?!\p{RI})\p{Emoji_Presentation}/gu;

/** Characters as people count them: a letter with its accents is one. */
const CHARACTERS = new Intl.Segmenter();

/** The cells that a text without control characters takes. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  const drawn = text.replace(NO_CELL, "");
  const pairs = drawn.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0;
  return drawn.length - pairs + (drawn.match(TWO_CELLS)?.length ?? 0);
}

/** The text, or of a longer one as much as fits with `…` behind it. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (ASCII.test(text)) return `${text.slice(0, width - 1)}…`;
  let cut = "";
  let left = width - 1;
  for (const { segment } of CHARACTERS.segment(text)) {
    left -= displayWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return `${cut}…`;
}
