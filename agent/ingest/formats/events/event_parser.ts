/** The parser of a format whose lines become fields. */
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import type { Format } from "../../../stream_format.ts";
import { EventBuilder } from "./builder.ts";
import { cri, docker, DOCKER_LINE, dockerTime } from "./containers.ts";
import type { EventParser } from "./event.ts";
import { jsonLines } from "./json_lines.ts";
import { logFormat } from "./log_format.ts";
import { logfmt } from "./logfmt.ts";
import { regexLines } from "./regex.ts";
import { jsonGrammar } from "./scan/json_grammar.ts";
import { logFormatGrammar } from "./scan/log_format_grammar.ts";
import { logfmtGrammar } from "./scan/logfmt_grammar.ts";
import type { ScanGrammar } from "./scan/template.ts";
import { syslog } from "./syslog.ts";
import { timeRule } from "./time_rule.ts";
import type { TimeConfig } from "./time_rule.ts";

/** How lines are read. */
export interface EventFormat {
  format: Format;
  /** Null: any time that tells itself. */
  time: TimeConfig | null;
  nowMs: () => number;
}

/**
 * Makes a parser. A carriage return at a line's end, and zero bytes or a byte order mark in front,
 * are no fields' part.
 */
export function createEventParser(options: EventFormat): EventParser {
  const parse = parserOf(options);
  return (line) => {
    const start = /^[\0\ufeff]*/.exec(line)?.[0].length ?? 0;
    const end = line.endsWith("\r") ? line.length - 1 : line.length;
    if (start === 0 && end === line.length) return parse(line);
    const event = parse(line.slice(start, end));
    if (typeof event === "string" || event.pieces === null) return event;
    return { ...event, pieces: between(line.slice(0, start), event.pieces, line.slice(end)) };
  };
}

/** Texts stand alone between values, here too. */
function between(front: string, pieces: readonly LayoutPiece[], back: string): LayoutPiece[] {
  const joined: LayoutPiece[] = [];
  for (const piece of [front, ...pieces, back]) {
    const last = joined.at(-1);
    if (piece === "") continue;
    if (typeof piece === "string" && typeof last === "string") joined.splice(-1, 1, last + piece);
    else joined.push(piece);
  }
  return joined;
}

/** How lines are read from their bytes; null: they are not. */
export function scanGrammar({ format, time, nowMs }: EventFormat): ScanGrammar | null {
  if (typeof format === "object") return "nginx" in format ? logFormatGrammar(format.nginx) : null;
  if (format === "json") return jsonGrammar(timeRule(time, nowMs));
  if (format === "logfmt") return logfmtGrammar(timeRule(time, nowMs));
  return format === "docker" ? jsonGrammar(dockerTime(nowMs), DOCKER_LINE) : null;
}

function parserOf({ format, time, nowMs }: EventFormat): EventParser {
  const rule = timeRule(time, nowMs);
  if (typeof format === "object") {
    return "nginx" in format ? logFormat(format.nginx) : regexLines(format.regex, rule);
  }
  switch (format) {
    case "json":
      return jsonLines(rule);
    case "logfmt":
      return logfmt(rule);
    case "syslog":
      return syslog(nowMs);
    case "cri":
      return cri();
    case "docker":
      return docker(nowMs);
    case "raw":
      return raw;
    default:
      throw new Error(`${format} is no format of events`);
  }
}

function raw(line: string): ReturnType<EventParser> {
  const builder = new EventBuilder();
  builder.text("message", line);
  return builder.build();
}
