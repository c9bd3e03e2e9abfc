/** JSON lines by their layouts. */
import { TIME_TEXT } from "../builder.ts";
import type { InnerLine } from "../json_lines.ts";
import type { TimeRule } from "../time_rule.ts";
import { isTimeSure, scalarForm, stopsAt, templateFrom } from "./template.ts";
import type { PlacedPiece, ScanGrammar, TemplateValue } from "./template.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CONTROLS = Array.from({ length: 0x20 }, (_, code) => code);

/** Texts stand in quotes and have no escapes, unless the layout says so. */
const QUOTED = stopsAt(QUOTE, [...CONTROLS, BACKSLASH]);
/** Of a line of another log: it ends before the escape of its line end. */
const INNER = stopsAt(BACKSLASH, [...CONTROLS, QUOTE]);
/** Values without quotes end before blanks, commas and brackets. */
const BARE = bareStops();

/** Lines that the parser of JSON reads by this rule. */
export function jsonGrammar(rule: TimeRule, inner: InnerLine | null = null): ScanGrammar {
  return {
    parseTime: rule.parse,
    templateOf: (layout, pieces) =>
      isTimeSure(pieces, rule)
        ? templateFrom(layout, pieces, (piece) => valueOf(piece, inner))
        : null,
  };
}

function valueOf(
  { name, kind, before, after }: PlacedPiece,
  inner: InnerLine | null,
): TemplateValue | null {
  const isQuoted = before.endsWith('"');
  const isInner = isQuoted && after.startsWith("\\");
  if (isQuoted && !isInner && !after.startsWith('"')) return null;
  const value = { column: name, decimals: 0, timeKind: null };
  const stops = isInner ? INNER : isQuoted ? QUOTED : BARE;
  if (name === "ts") return { ...value, form: "time", stops, timeKind: kind };
  if (name === TIME_TEXT) return { ...value, form: "time", stops };
  // The escapes at the end of a line of another log may be its line end.
  if (kind === "json") return name === inner?.column ? null : { ...value, form: "escaped", stops };
  if (kind === "text") return { ...value, form: isQuoted ? "text" : "raw", stops };
  const scalar = isQuoted ? null : scalarForm(kind);
  return scalar === null ? null : { ...value, ...scalar, stops };
}

function bareStops(): Uint8Array {
  const stops = stopsAt(0x2c, [...CONTROLS, QUOTE, BACKSLASH]);
  for (const byte of [0x20, 0x09, 0x0d, 0x5d, 0x7d]) stops[byte] = stops[0x2c]!;
  return stops;
}
