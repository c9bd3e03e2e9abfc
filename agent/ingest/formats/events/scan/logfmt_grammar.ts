/** logfmt by its layouts. */
import { TIME_TEXT } from "../builder.ts";
import type { TimeRule } from "../time_rule.ts";
import { ENDS, isTimeSure, NEVER, placed, scalarForm, stopsAt, templateFrom } from "./template.ts";
import type { PlacedPiece, ScanGrammar, TemplateValue } from "./template.ts";
import type { LayoutPiece } from "../../../../../protocol/schema/layout.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What ends a word, in ASCII. */
const BLANKS = [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20];
/** With these begin the blanks of Unicode, and other characters: such words are the parser's. */
const BLANK_LEADS = [0xc2, 0xe1, 0xe2, 0xe3, 0xef];

const QUOTED = stopsAt(QUOTE, [BACKSLASH]);
const BARE = bareStops();

/** Lines that the parser of logfmt reads by this rule. */
export function logfmtGrammar(rule: TimeRule): ScanGrammar {
  return {
    parseTime: rule.parse,
    templateOf: (layout, pieces) =>
      isTimeSure(pieces, rule) && !hasLoneKey(pieces)
        ? templateFrom(layout, pieces, valueOf)
        : null,
  };
}

/** Whether a key may stand alone, for true: its column is in no piece. */
function hasLoneKey(pieces: readonly LayoutPiece[]): boolean {
  const literals = placed(pieces).map(({ before }) => before);
  const last = pieces.at(-1);
  if (typeof last === "string") literals.push(last.replace(/^"/, ""));
  return literals.some((literal) => {
    const words = literal.replace(/^"/, "").split(/\s/).filter((word) => word !== "");
    return words.some((word) => !word.includes("="));
  });
}

function valueOf({ name, kind, before, after }: PlacedPiece): TemplateValue | null {
  const isQuoted = before.endsWith('"');
  if (isQuoted && !after.startsWith('"')) return null;
  const stops = isQuoted ? QUOTED : BARE;
  const value = { column: name, decimals: 0, timeKind: null, stops };
  if (name === "ts") return { ...value, form: "time", timeKind: kind };
  if (name === TIME_TEXT) return { ...value, form: "time" };
  if (kind === "json") return isQuoted ? { ...value, form: "escaped" } : null;
  if (kind === "text") return { ...value, form: isQuoted ? "text" : "word" };
  const scalar = isQuoted ? null : scalarForm(kind);
  return scalar === null ? null : { ...value, ...scalar };
}

function bareStops(): Uint8Array {
  const stops = new Uint8Array(256);
  for (const byte of BLANKS) stops[byte] = ENDS;
  for (const byte of [QUOTE, ...BLANK_LEADS]) stops[byte] = NEVER;
  return stops;
}
