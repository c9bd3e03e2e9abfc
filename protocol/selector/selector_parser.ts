/** Text to Selector: a recursive descent over tokens, bounded in length and depth. */
import { LogvendError } from "../errors.ts";
import type { Selector } from "./selector.ts";

/** Longer ones do not fit the signed claims of a query. */
const LENGTH_MAX = 4_096;

/** Levels of parentheses and `not`: the parser, and every host that matches, recurse once a level. */
const DEPTH_MAX = 32;

/** Reads a selector; empty text matches every host. @throws {LogvendError} usage, with the column */
export function parseSelector(text: string): Selector {
  if (text.length > LENGTH_MAX) {
    throw new LogvendError(
      "usage",
      `A selector of ${text.length} characters is too long: ${LENGTH_MAX} at most`,
    );
  }
  const cursor: Cursor = { tokens: tokenize(text), index: 0, depth: 0 };
  if (peek(cursor).kind === "end") return { kind: "and", of: [] };
  const selector = parseOr(cursor);
  if (peek(cursor).kind !== "end") throw unexpected(peek(cursor), "and, or, or the end");
  return selector;
}

/** Words of the grammar that stand for labels or values only in quotes. */
export function isReserved(word: string): boolean {
  return ["and", "or", "not"].includes(word.toLowerCase());
}

function parseOr(cursor: Cursor): Selector {
  const parts = [parseAnd(cursor)];
  while (takeWord(cursor, "or")) parts.push(parseAnd(cursor));
  return joined("or", parts);
}

function parseAnd(cursor: Cursor): Selector {
  const parts = [parseUnary(cursor)];
  while (takeWord(cursor, "and")) parts.push(parseUnary(cursor));
  return joined("and", parts);
}

function joined(kind: "and" | "or", parts: readonly Selector[]): Selector {
  const [only, ...more] = parts;
  return only !== undefined && more.length === 0 ? only : { kind, of: parts };
}

function parseUnary(cursor: Cursor): Selector {
  if (takeWord(cursor, "not")) {
    return { kind: "not", of: nested(cursor, () => parseUnary(cursor)) };
  }
  if (takeSymbol(cursor, "(")) {
    const inner = nested(cursor, () => parseOr(cursor));
    expectSymbol(cursor, ")");
    return inner;
  }
  if (takeSymbol(cursor, "!")) {
    return { kind: "not", of: { kind: "exists", key: text(cursor, "a label") } };
  }
  return parseTest(cursor);
}

function nested(cursor: Cursor, parse: () => Selector): Selector {
  if (++cursor.depth > DEPTH_MAX) {
    throw new LogvendError("usage", `A selector nests at most ${DEPTH_MAX} levels deep`);
  }
  const selector = parse();
  cursor.depth--;
  return selector;
}

function parseTest(cursor: Cursor): Selector {
  const key = text(cursor, "a label, not, ! or (");
  if (takeSymbol(cursor, "=") || takeSymbol(cursor, "==")) {
    return { kind: "in", key, values: [text(cursor, "a value")] };
  }
  if (takeSymbol(cursor, "!=")) return { kind: "notin", key, values: [text(cursor, "a value")] };
  if (takeWord(cursor, "exists")) return { kind: "exists", key };
  if (takeWord(cursor, "gt")) return { kind: "gt", key, value: number(cursor) };
  if (takeWord(cursor, "lt")) return { kind: "lt", key, value: number(cursor) };
  if (takeWord(cursor, "in")) return { kind: "in", key, values: list(cursor) };
  if (takeWord(cursor, "notin")) return { kind: "notin", key, values: list(cursor) };
  if (takeWord(cursor, "not")) {
    if (!takeWord(cursor, "in")) throw unexpected(peek(cursor), "in");
    return { kind: "notin", key, values: list(cursor) };
  }
  throw unexpected(peek(cursor), "=, !=, in, notin, exists, gt or lt");
}

function list(cursor: Cursor): string[] {
  expectSymbol(cursor, "(");
  const values = [text(cursor, "a value")];
  while (takeSymbol(cursor, ",")) values.push(text(cursor, "a value"));
  if (!takeSymbol(cursor, ")")) throw unexpected(peek(cursor), ", or )");
  return values;
}

function number(cursor: Cursor): number {
  const token = peek(cursor);
  const value = Number(text(cursor, "a number"));
  if (token.text.trim() === "" || !Number.isFinite(value)) throw unexpected(token, "a number");
  return value;
}

/** The next token as a label or value. */
function text(cursor: Cursor, wanted: string): string {
  const token = peek(cursor);
  const isText = token.kind === "quoted" || token.kind === "bare" && !isReserved(token.text);
  if (!isText) throw unexpected(token, wanted);
  cursor.index++;
  return token.text;
}

interface Cursor {
  readonly tokens: readonly Token[];
  index: number;
  depth: number;
}

function peek(cursor: Cursor): Token {
  return cursor.tokens[cursor.index] ?? { kind: "end", text: "", column: 1 };
}

function take(cursor: Cursor, isWanted: (token: Token) => boolean): boolean {
  if (!isWanted(peek(cursor))) return false;
  cursor.index++;
  return true;
}

function takeWord(cursor: Cursor, word: string): boolean {
  return take(cursor, (token) => token.kind === "bare" && token.text.toLowerCase() === word);
}

function takeSymbol(cursor: Cursor, symbol: string): boolean {
  return take(cursor, (token) => token.kind === "symbol" && token.text === symbol);
}

function expectSymbol(cursor: Cursor, symbol: string) {
  if (!takeSymbol(cursor, symbol)) throw unexpected(peek(cursor), symbol);
}

function unexpected(token: Token, wanted: string): LogvendError {
  const found = token.kind === "end" ? "the end" : JSON.stringify(token.text);
  return new LogvendError(
    "usage",
    `In the selector at column ${token.column}: found ${found}; wanted ${wanted}`,
  );
}

interface Token {
  kind: "bare" | "quoted" | "symbol" | "end";
  text: string;
  /** 1-based. */
  column: number;
}

const TOKEN = /(\(|\)|,|==?|!=?)|([^\s()!=,"']+)|"((?:[^"]|"")*)"|'((?:[^']|'')*)'/y;

function tokenize(selector: string): Token[] {
  const tokens: Token[] = [];
  const blank = /\s*/y;
  for (let at = 0;; at = TOKEN.lastIndex) {
    blank.lastIndex = at;
    blank.exec(selector);
    const column = blank.lastIndex + 1;
    if (blank.lastIndex === selector.length) return [...tokens, { kind: "end", text: "", column }];
    TOKEN.lastIndex = blank.lastIndex;
    const match = TOKEN.exec(selector);
    if (match === null) {
      throw new LogvendError("usage", `In the selector at column ${column}: the quote never ends`);
    }
    tokens.push({ ...tokenOf(match), column });
  }
}

function tokenOf([, symbol, bare, double, single]: RegExpExecArray): Omit<Token, "column"> {
  if (symbol !== undefined) return { kind: "symbol", text: symbol };
  if (bare !== undefined) return { kind: "bare", text: bare };
  if (double !== undefined) return { kind: "quoted", text: double.replaceAll('""', '"') };
  return { kind: "quoted", text: single?.replaceAll("''", "'") ?? "" };
}
