/** Values as logs write them without quotes: numbers, true and false, and anything else as text. */
import type { ValueKind } from "../../../../protocol/schema/layout.ts";
import type { FieldType } from "./event.ts";

/** A value, its type, and how a layout writes it. */
export interface TypedValue {
  type: FieldType;
  value: string | number | boolean;
  /** Null: no layout writes it like that. */
  kind: ValueKind | null;
}

/** Numbers of more digits are kept as text: a DOUBLE would change them. */
const DIGITS_MAX = 15;
const WHOLE = /^-?(?:0|[1-9]\d*)$/;
const DECIMAL = /^-?(?:0|[1-9]\d*)\.(\d+)$/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Smaller and larger ones may be written with an exponent. */
const DECIMAL_MIN = 1e-4;
const FIXED_MAX = 9;

/** Says whether a text is a number as JSON writes it. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** The value of a word. */
export function typedValue(word: string): TypedValue {
  const first = word.charCodeAt(0);
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) return numberValue(word);
  if (word === "true" || word === "false") {
    return { type: "BOOLEAN", value: word === "true", kind: "flag" };
  }
  return { type: "VARCHAR", value: word, kind: "text" };
}

function numberValue(word: string): TypedValue {
  const isWhole = WHOLE.test(word);
  if (isWhole && word.length <= DIGITS_MAX && word !== "-0") {
    return { type: "BIGINT", value: Number(word), kind: "whole" };
  }
  const decimals = DECIMAL.exec(word)?.[1];
  if (isWhole || decimals === undefined || word.length > DIGITS_MAX) {
    return { type: "VARCHAR", value: word, kind: "text" };
  }
  const value = Number(word);
  return { type: "DOUBLE", value, kind: decimalKind(word, value, decimals.length) };
}

function decimalKind(word: string, value: number, decimals: number): ValueKind | null {
  const isPlain = Math.abs(value) >= DECIMAL_MIN && !word.endsWith("0");
  if (isPlain && String(value) === word) return "decimal";
  return decimals <= FIXED_MAX && value.toFixed(decimals) === word ? `fixed${decimals}` : null;
}
