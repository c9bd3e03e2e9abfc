/** Compares a line's bytes with a template, and finds its values. */
import { splitRequestBytes } from "../../request.ts";
import type { RequestBytes } from "../../request.ts";
import { hasOddEscapes } from "../escapes.ts";
import { isNumber } from "../values.ts";
import { NumberReader } from "./numbers.ts";
import { ENDS } from "./template.ts";
import type { ScanGrammar, Template, TemplateValue } from "./template.ts";
import { TimeReader } from "./time_reader.ts";

const BLANK = 0x20;
const COLON = 0x3a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CARRIAGE_RETURN = 0x0d;
const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const TRUE = new TextEncoder().encode("true");
const FALSE = new TextEncoder().encode("false");

/** Values of one line at most: no layout that is learned has more. */
const VALUES_MAX = 1_024;

export class LineMatcher {
  /** Of the values of the line that matched last, by their order in the template. */
  readonly starts = new Int32Array(VALUES_MAX);
  readonly ends = new Int32Array(VALUES_MAX);
  readonly numbers = new Float64Array(VALUES_MAX);
  /** Of those with escapes. */
  readonly texts: string[] = [];
  readonly request: RequestBytes = { methodEnd: 0, targetEnd: 0 };
  private readonly number = new NumberReader();
  readonly time: TimeReader;

  constructor(grammar: ScanGrammar) {
    this.time = new TimeReader(grammar.parseTime);
  }

  /** Whether the line, without its end, is one that the template writes. */
  matches({ literals, values }: Template, bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    for (let i = 0; i < values.length; i++) {
      at = literalEnd(bytes, at, literals[i]!);
      if (at < 0) return false;
      this.starts[i] = at;
      at = this.valueEnd(values[i]!, bytes, { i, at, end });
      if (at < 0 || (values[i]!.isSeveral && goesOn(bytes, at))) return false;
      this.ends[i] = at;
    }
    const last = literals[values.length]!;
    // The parser takes a carriage return for the end of the line, and not for a value's.
    if (last.length === 0 && bytes[at - 1] === CARRIAGE_RETURN) return false;
    return literalEnd(bytes, at, last) === end;
  }

  private valueEnd(value: TemplateValue, bytes: Uint8Array, place: Place): number {
    const { at } = place;
    switch (value.form) {
      case "text":
        return textEnd(bytes, at, value.stops);
      case "word":
        return wordEnd(bytes, at, value.stops);
      case "escaped":
        return this.escaped(bytes, place);
      case "raw":
        return rawEnd(bytes, at, place.end, value.stops);
      case "request":
        return this.requestEnd(value, bytes, at);
      case "time":
        return this.timeEnd(value, bytes, at);
      case "flag":
        return this.flag(bytes, place);
      default:
        return this.numeric(value, bytes, place);
    }
  }

  private numeric({ form, decimals }: TemplateValue, bytes: Uint8Array, { i, at }: Place): number {
    const { number } = this;
    const end = form === "whole"
      ? number.whole(bytes, at)
      : form === "decimal"
      ? number.decimal(bytes, at)
      : form === "fixed"
      ? number.fixed(bytes, at, decimals)
      : number.seconds(bytes, at);
    this.numbers[i] = number.value;
    return end;
  }

  private flag(bytes: Uint8Array, { i, at }: Place): number {
    const trueEnd = literalEnd(bytes, at, TRUE);
    this.numbers[i] = trueEnd < 0 ? 0 : 1;
    return trueEnd < 0 ? literalEnd(bytes, at, FALSE) : trueEnd;
  }

  private timeEnd({ stops, timeKind }: TemplateValue, bytes: Uint8Array, at: number): number {
    const end = textEnd(bytes, at, stops);
    return end > at && this.time.read(bytes, at, end, timeKind) ? end : -1;
  }

  private requestEnd({ stops }: TemplateValue, bytes: Uint8Array, at: number): number {
    const end = textEnd(bytes, at, stops);
    return end > 0 && splitRequestBytes(bytes, at, end, this.request) ? end : -1;
  }

  /** A text up to its quote, with one escape at least. */
  private escaped(bytes: Uint8Array, { i, at, end }: Place): number {
    let hasEscape = false;
    let close = at;
    for (; close < end && bytes[close] !== QUOTE; close++) {
      if (bytes[close] !== BACKSLASH) continue;
      hasEscape = true;
      close++;
    }
    if (!hasEscape || close >= end) return -1;
    const inside = decoder.decode(bytes.subarray(at, close));
    const text = hasOddEscapes(inside) ? null : parsedText(inside);
    if (text === null || JSON.stringify(text).slice(1, -1) !== inside) return -1;
    this.texts[i] = text;
    return close;
  }
}

interface Place {
  /** Of the value among those of the line. */
  i: number;
  at: number;
  /** Of the line. */
  end: number;
}

/** Whether ` : ` stands here. */
function goesOn(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === BLANK && bytes[at + 1] === COLON && bytes[at + 2] === BLANK;
}

/** The end of a literal that stands here, or -1. */
function literalEnd(bytes: Uint8Array, start: number, literal: Uint8Array): number {
  for (let i = 0; i < literal.length; i++) if (bytes[start + i] !== literal[i]) return -1;
  return start + literal.length;
}

/** Where a text is ended, or -1. A line end ends every search. */
function textEnd(bytes: Uint8Array, start: number, stops: Uint8Array): number {
  let at = start;
  while (stops[bytes[at]!] === 0) at++;
  return stops[bytes[at]!] === ENDS ? at : -1;
}

function wordEnd(bytes: Uint8Array, start: number, stops: Uint8Array): number {
  const end = textEnd(bytes, start, stops);
  return end > start ? end : -1;
}

/** The end of a JSON value that is not between quotes. */
function rawEnd(bytes: Uint8Array, start: number, lineEnd: number, stops: Uint8Array): number {
  const first = bytes[start];
  if (first === LEFT_BRACE || first === LEFT_BRACKET) {
    const end = nestedEnd(bytes, start, lineEnd);
    return end > 0 && isJson(decoder.decode(bytes.subarray(start, end))) ? end : -1;
  }
  const end = textEnd(bytes, start, stops);
  if (end <= start) return -1;
  const word = decoder.decode(bytes.subarray(start, end));
  return word === "true" || word === "false" || isNumber(word) ? end : -1;
}

/** Where the brackets are closed again; -1: nowhere. */
function nestedEnd(bytes: Uint8Array, start: number, lineEnd: number): number {
  let depth = 0;
  for (let at = start; at < lineEnd; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at++;
      while (at < lineEnd && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    } else if (byte === LEFT_BRACE || byte === LEFT_BRACKET) depth++;
    else if ((byte === RIGHT_BRACE || byte === RIGHT_BRACKET) && --depth === 0) return at + 1;
  }
  return -1;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the parser's way to say so
  }
}

/** The text of what stands between quotes; null: it is no JSON. */
function parsedText(inside: string): string | null {
  try {
    return String(JSON.parse(`"${inside}"`));
  } catch {
    return null; // the parser's way to say so
  }
}
