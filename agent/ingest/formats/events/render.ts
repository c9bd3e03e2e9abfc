/** Makes a line up of its pieces: the twin of the SQL in protocol/schema/layout.ts. */
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import type { Event, Field } from "./event.ts";

/**
 * The line that the pieces make. Times and numbers are those of the line: their kinds were chosen
 * so that they come out as they were.
 */
export function rendered(pieces: readonly LayoutPiece[], { fields, time }: Event): string {
  const byName = new Map(fields.map((field) => [field.name, field]));
  return pieces.map((piece) => {
    if (typeof piece === "string") return piece;
    return piece[0] === "ts" ? time?.raw ?? "" : valueText(byName, piece);
  }).join("");
}

/** JSON's pieces with quotes around the values of these fields, which have become texts. */
export function quoted(
  pieces: readonly LayoutPiece[],
  names: ReadonlySet<string>,
): LayoutPiece[] {
  let isOpen = false;
  return pieces.map((piece, i) => {
    if (typeof piece !== "string") return isBare(pieces, i, names) ? [piece[0], "json"] : piece;
    const front = isOpen ? '"' : "";
    isOpen = isBare(pieces, i + 1, names);
    return `${front}${piece}${isOpen ? '"' : ""}`;
  });
}

function isBare(pieces: readonly LayoutPiece[], index: number, names: ReadonlySet<string>) {
  const [piece, before] = [pieces[index], pieces[index - 1]];
  const isNamed = piece !== undefined && typeof piece !== "string" && names.has(piece[0]);
  return isNamed && typeof before === "string" && !before.endsWith('"');
}

function valueText(
  fields: ReadonlyMap<string, Field>,
  [name, kind]: readonly [string, string],
): string {
  const field = fields.get(name);
  if (field === undefined) return "";
  if (kind === "json") return JSON.stringify(String(field.value)).slice(1, -1);
  return field.raw ?? String(field.value);
}
