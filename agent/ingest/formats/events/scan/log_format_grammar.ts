/** Lines of an nginx log_format by their layouts. */
import type { LayoutPiece } from "../../../../../protocol/schema/layout.ts";
import { logFormatParts, SEVERAL } from "../log_format.ts";
import { TIME_TEXT } from "../builder.ts";
import { bytesOf, scalarForm, stopsAt, templateFrom } from "./template.ts";
import type { PlacedPiece, ScanGrammar, TemplateValue } from "./template.ts";

const LINE_END = 0x0a;
const BACKSLASH = 0x5c;
const CONTROLS = Array.from({ length: 0x20 }, (_, code) => code);

/** Blanks of Unicode begin with the last of these: of several upstreams, or of none that is known. */
const NOT_ONE = [0x09, 0x0b, 0x0c, 0x0d, 0x20, 0x22, 0x2c, 0xc2, 0xe1, 0xe2, 0xe3, 0xef];

/** What a number may begin with or hold: a value that ends at one of these is not told by its bytes. */
const NUMERIC = /^[-.\d]/;

/** Null: its values cannot be told apart by what stands between them. */
export function logFormatGrammar(format: string): ScanGrammar | null {
  const { variables, isApart, isJson, parseTime } = logFormatParts(format);
  const isOnce = new Set(variables).size === variables.length;
  const isRequest = variables.includes("request");
  const isTwice = isRequest && /request_(method|uri)|server_protocol/.test(variables.join(" "));
  if (!isApart || !isOnce || isTwice || variables.includes("is_args")) return null;
  const never = isJson ? [...CONTROLS, BACKSLASH] : [];
  return {
    parseTime,
    templateOf: (layout, pieces) =>
      templateFrom(
        layout,
        isRequest ? joined(pieces) : pieces,
        (piece, isLast) => valueOf(piece, isLast, never),
      ),
  };
}

/** The three parts of `$request` as one value, unless they have escapes. */
function joined(pieces: readonly LayoutPiece[]): LayoutPiece[] {
  const at = pieces.findIndex((piece) => piece[0] === "http_method");
  const isRequest = ["http_method", "request", "http_version"].every((name, i) => {
    const piece = pieces[at + 2 * i];
    return piece?.[0] === name && piece[1] === "text";
  });
  if (at < 0 || !isRequest) return [...pieces];
  return [...pieces.slice(0, at), ["request", "request"], ...pieces.slice(at + 5)];
}

function valueOf(
  { name, kind, after }: PlacedPiece,
  isLast: boolean,
  never: readonly number[],
): TemplateValue | null {
  const end = after === "" && isLast ? LINE_END : bytesOf(after)[0];
  if (end === undefined || NUMERIC.test(after)) return null;
  const isSeveral = SEVERAL.test(name);
  const value = {
    column: name,
    stops: stopsAt(end, isSeveral ? [...never, ...NOT_ONE] : never),
    decimals: 0,
    timeKind: null,
    isSeveral,
  };
  if (name === "ts") return { ...value, form: "time", timeKind: kind };
  if (name === TIME_TEXT) return { ...value, form: "time" };
  if (kind === "request") return { ...value, form: "request" };
  // A request that has no three parts looks like one that has.
  if (kind === "text") return name === "request" ? null : { ...value, form: "text" };
  const scalar = scalarForm(kind);
  return scalar === null ? null : { ...value, ...scalar };
}
