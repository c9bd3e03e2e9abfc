/** A layout made ready to be compared with the bytes of lines. */
import type { LayoutPiece } from "../../../../../protocol/schema/layout.ts";
import { TIME_TEXT } from "../builder.ts";
import type { EventTimeParser } from "../event_time.ts";
import type { TimeRule } from "../time_rule.ts";

/** What a value is in the bytes of a line. */
export type ValueForm =
  /** Up to one of the bytes that end it. */
  | "text"
  /** The same, and not empty. */
  | "word"
  /** Text with escapes, as JSON writes it between quotes. */
  | "escaped"
  /** Any JSON value that is not between quotes, as it stands. */
  | "raw"
  | "whole"
  | "decimal"
  /** With a fixed number of decimals. */
  | "fixed"
  | "flag"
  /** Seconds with three decimals, as milliseconds. */
  | "seconds"
  /** Method, target and version. */
  | "request"
  | "time";

/** One value of a line. */
export interface TemplateValue {
  form: ValueForm;
  /** Of `request` that of the target. */
  column: string;
  /** For each byte: whether a text ends before it, or none has it. */
  stops: Uint8Array;
  /** Of `fixed`. */
  decimals: number;
  /** How the layout writes a time; null: the time's text is kept too. */
  timeKind: string | null;
  /** Whether ` : ` behind it says that it goes on: values of several upstreams. */
  isSeveral?: boolean;
}

/** Literal texts and values by turns: there is one literal more. */
export interface Template {
  layout: string;
  /** In bytes. */
  layoutLength: number;
  literals: Uint8Array[];
  values: TemplateValue[];
}

/** How the lines of a format are compared with layouts. */
export interface ScanGrammar {
  /** Null: only the parser can read lines of this layout. */
  templateOf(layout: string, pieces: readonly LayoutPiece[]): Template | null;
  /** That of the parser. */
  parseTime: EventTimeParser;
}

/** In `stops`: a text ends here. */
export const ENDS = 1;
/** In `stops`: no text has this byte. */
export const NEVER = 2;

const LINE_END = 0x0a;
/** The key before a value of JSON or logfmt. */
const KEY = /([^\s"=,{]+)"?\s*[:=]\s*"?$/;
/** A field of a reserved name. */
const RENAMED = /^log_/;
const FORMS: Readonly<Record<string, ValueForm>> = {
  whole: "whole",
  decimal: "decimal",
  flag: "flag",
  seconds: "seconds",
};

/** A value and the literals around it. */
export interface PlacedPiece {
  name: string;
  kind: string;
  before: string;
  after: string;
}

/** Takes a layout's pieces apart. */
export function placed(pieces: readonly LayoutPiece[]): PlacedPiece[] {
  return pieces.flatMap((piece, i) => {
    if (typeof piece === "string") return [];
    const [name, kind] = piece;
    return [{ name, kind, before: literalAt(pieces, i - 1), after: literalAt(pieces, i + 1) }];
  });
}

/** Makes a template; null when `valueOf` knows no form for a value. */
export function templateFrom(
  layout: string,
  pieces: readonly LayoutPiece[],
  valueOf: (piece: PlacedPiece, isLast: boolean) => TemplateValue | null,
): Template | null {
  const found = placed(pieces);
  const values: TemplateValue[] = [];
  for (const [i, piece] of found.entries()) {
    const value = valueOf(piece, i === found.length - 1);
    if (value === null) return null;
    values.push(value);
  }
  return {
    layout,
    layoutLength: bytesOf(layout).length,
    literals: [...found.map(({ before }) => before), literalAt(pieces, pieces.length - 1)]
      .map(bytesOf),
    values,
  };
}

/** Whether lines of a layout have their time at the same key, or none can have one. */
export function isTimeSure(pieces: readonly LayoutPiece[], rule: TimeRule): boolean {
  const found = placed(pieces);
  const time = found.find(({ name }) => name === "ts" || name === TIME_TEXT);
  const timeKey = time === undefined ? undefined : KEY.exec(time.before)?.[1];
  if (time !== undefined && timeKey === undefined) return false;
  const names = found.filter((piece) => piece !== time).map(({ name }) => name.toLowerCase());
  const keys = [...names, ...names.map((name) => name.replace(RENAMED, ""))];
  // Whatever might be a time before that one in other lines of the layout.
  return rule.keyOf([...keys, ...timeKey === undefined ? [] : [timeKey]], () => true) === timeKey;
}

function literalAt(pieces: readonly LayoutPiece[], index: number): string {
  const piece = pieces[index];
  return typeof piece === "string" ? piece : "";
}

/** The form of a number or a flag; null: it is none. */
export function scalarForm(kind: string): { form: ValueForm; decimals: number } | null {
  const decimals = /^fixed(\d)$/.exec(kind)?.[1];
  if (decimals !== undefined) return { form: "fixed", decimals: Number(decimals) };
  const form = FORMS[kind];
  return form === undefined ? null : { form, decimals: 0 };
}

/** Texts end before `end`, and at the line's end; of the bytes in `never` they have none. */
export function stopsAt(end: number, never: readonly number[]): Uint8Array {
  const stops = new Uint8Array(256);
  for (const byte of never) stops[byte] = NEVER;
  stops[LINE_END] = NEVER;
  stops[end] = ENDS;
  return stops;
}

/** The bytes of a literal. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
