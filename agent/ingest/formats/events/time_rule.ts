/** Where the time of a line is and how it is written. */
import { anyTime, bsdTime, epochText, isoTime, nginxTime, TIME_FORMATS } from "./event_time.ts";
import type { EventTimeParser } from "./event_time.ts";
import { patternTime, timePatternProblem } from "./time_pattern.ts";

/** Of these the first that is a time is that of the line: a duration may be called `time` too. */
const TIME_KEYS = ["ts", "time", "timestamp", "@timestamp"];

/** A stream's `time` as configured. */
export interface TimeConfig {
  field?: string | undefined;
  /** A name of TIME_FORMATS or a pattern like `%Y-%m-%d %H:%M:%S`. @default any that tells itself */
  format?: string | undefined;
}

export interface TimeRule {
  /** Whether lines without a time are rejects. */
  isRequired: boolean;
  /** The key that holds the time; undefined: none does. `isTime`: whether a key's value is one. */
  keyOf(keys: readonly string[], isTime: (key: string) => boolean): string | undefined;
  parse: EventTimeParser;
}

/** What is wrong with a `format`; null: nothing. */
export function timeFormatProblem(format: string): string | null {
  return TIME_FORMATS.some((name) => name === format) ? null : timePatternProblem(format);
}

/** The rule of a configuration; without one any time counts, and a line needs none. */
export function timeRule(config: TimeConfig | null, nowMs: () => number): TimeRule {
  const wanted = config?.field;
  return {
    isRequired: config !== null,
    keyOf: (keys, isTime) => wanted ?? TIME_KEYS.find((key) => keys.includes(key) && isTime(key)),
    parse: remembered(parserOf(config?.format, nowMs)),
  };
}

function parserOf(format: string | undefined, nowMs: () => number): EventTimeParser {
  switch (format) {
    case undefined:
      return (text) => anyTime(text, nowMs());
    case "iso":
      return isoTime;
    case "epoch":
      return epochText;
    case "epoch_ms":
      return (text) => /^\d{1,16}$/.test(text) ? epochText(text.padStart(13, "0")) : null;
    case "nginx":
      return nginxTime;
    case "bsd":
      return (text) => bsdTime(text, nowMs());
    default:
      return patternTime(format);
  }
}

/** Neighbouring lines mostly have the same time. */
function remembered(parse: EventTimeParser): EventTimeParser {
  let last = "";
  let time: ReturnType<EventTimeParser> = null;
  return (text) => {
    if (text !== last) {
      time = parse(text);
      last = text;
    }
    return time;
  };
}
