/** Lines of an nginx log_format by their layouts. */
import type { LayoutPiece } from "../../../../../protocol/layout.ts";
import { logFormatParts } from "../log_format.ts";
import { TIME_TEXT } from "../builder.ts";
import { bytesOf, scalarForm, stopsAt, templateFrom } from "./template.ts";
import type { PlacedPiece, ScanGrammar, TemplateValue } from "./template.ts";

const LINE_END = 0x0a;

/** What a number may begin with or hold: a value that ends at one of these is not told by its bytes. */
const NUMERIC = /^[-.\d]/;

/** Null: its values cannot be told apart by what stands between them. */
export function logFormatGrammar(format: string): ScanGrammar | null {
  const { variables, isApart, parseTime } = logFormatParts(format);
  const isOnce = new Set(variables).size === variables.length;
  const isRequest = variables.includes("request");
  const isTwice = isRequest && /request_(method|uri)|server_protocol/.test(variables.join(" "));
  if (!isApart || !isOnce || isTwice) return null;
  return {
    parseTime,
    templateOf: (layout, pieces) =>
      templateFrom(layout, isRequest ? joined(pieces) : pieces, valueOf),
  };
}

/** The three parts of `$request` as one value. */
function joined(pieces: readonly LayoutPiece[]): LayoutPiece[] {
  const at = pieces.findIndex((piece) => piece[0] === "http_method");
  const isWhole = at < 0 || pieces[at + 2]?.[0] !== "request" ||
    pieces[at + 4]?.[0] !== "http_version";
  if (isWhole) return [...pieces];
  return [...pieces.slice(0, at), ["request", "request"], ...pieces.slice(at + 5)];
}

function valueOf({ name, kind, after }: PlacedPiece, isLast: boolean): TemplateValue | null {
  const end = after === "" && isLast ? LINE_END : bytesOf(after)[0];
  if (end === undefined || NUMERIC.test(after)) return null;
  const value = { column: name, stops: stopsAt(end, []), decimals: 0, timeKind: null };
  if (name === "ts") return { ...value, form: "time", timeKind: kind };
  if (name === TIME_TEXT) return { ...value, form: "time" };
  if (kind === "request") return { ...value, form: "request" };
  // A request that has no three parts looks like one that has.
  if (kind === "text") return name === "request" ? null : { ...value, form: "text" };
  const scalar = scalarForm(kind);
  return scalar === null ? null : { ...value, ...scalar };
}
