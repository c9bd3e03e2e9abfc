/** logfmt: `level=info msg="took a while" took=1.5`. */
import { EventBuilder } from "./builder.ts";
import { hasOddEscapes, unescaped } from "./escapes.ts";
import type { EventParser } from "./event.ts";
import type { ReadTime } from "./event_time.ts";
import type { TimeRule } from "./time_rule.ts";

/** A key, and behind `=` a text in quotes or a word. */
const PAIR = /([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)/gy;

/** Reads pairs of keys and values; a key alone is true. */
export function logfmt(rule: TimeRule): EventParser {
  return (line) => {
    const pairs = pairsOf(line);
    if (pairs === null) return "no_format";
    const timeKey = rule.keyOf(
      pairs.map(({ key }) => key),
      (wanted) => pairs.some((pair) => pair.key === wanted && timeOf(rule, pair) !== null),
    );
    const builder = new EventBuilder();
    for (const pair of pairs) {
      builder.literal(pair.before);
      addPair(builder, rule, { ...pair, isTime: pair.key === timeKey });
    }
    const event = builder.build();
    return event.time === null && rule.isRequired ? "bad_time" : event;
  };
}

interface Pair {
  /** Blanks, and for the first what stands before it. */
  before: string;
  key: string;
  quoted: string | undefined;
  word: string | undefined;
}

/** Null: there is something else, or no value at all. */
function pairsOf(line: string): Pair[] | null {
  const pairs: Pair[] = [];
  let at = 0;
  while (at < line.length) {
    const start = at + (/^\s*/.exec(line.slice(at))?.[0].length ?? 0);
    if (start === line.length) {
      pairs.push({ before: line.slice(at), key: "", quoted: undefined, word: undefined });
      break;
    }
    PAIR.lastIndex = start;
    const match = PAIR.exec(line);
    if (match === null) return null;
    const [, key = "", quoted, word] = match;
    pairs.push({ before: line.slice(at, start), key, quoted, word });
    at = PAIR.lastIndex;
  }
  return pairs.some(({ quoted, word }) => quoted !== undefined || word !== undefined)
    ? pairs
    : null;
}

function addPair(
  builder: EventBuilder,
  rule: TimeRule,
  { key, quoted, word, isTime }: Pair & { isTime: boolean },
) {
  builder.literal(key);
  if (quoted === undefined && word === undefined) {
    if (key !== "") builder.mark(key);
    return;
  }
  const value = quoted ?? word ?? "";
  const quote = quoted === undefined ? "" : '"';
  const time = isTime ? timeOf(rule, { quoted, word }) : null;
  builder.literal(`=${quote}`);
  if (time !== null) builder.time(time, value);
  else if (quoted === undefined) {
    if (value !== "") builder.word(key, value);
  } else if (!quoted.includes("\\")) builder.text(key, quoted);
  else {
    const text = unescaped(controls(quoted))?.value ?? quoted;
    const isPlain = !hasOddEscapes(quoted) && JSON.stringify(text).slice(1, -1) === quoted;
    builder.text(key, text, isPlain ? "json" : null, quoted);
  }
  builder.literal(quote);
}

/** The time that a pair's value is. */
function timeOf(rule: TimeRule, { quoted, word }: Pick<Pair, "quoted" | "word">): ReadTime | null {
  const value = quoted ?? word ?? "";
  return value.includes("\\") ? null : rule.parse(value);
}

/** JSON takes no control characters as they are. */
function controls(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
