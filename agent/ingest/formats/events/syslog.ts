/**
 * syslog, with and without the priority in front, as RFC 5424 and RFC 3164 have it and as daemons
 * write it to files: `<34>1 2003-10-11T22:14:15.003Z host app 12 ID47 [a@1 b="c"] text`,
 * `<34>Oct 11 22:14:15 host app[12]: text`, `2003-10-11T22:14:15+02:00 host app: text`.
 * https://www.rfc-editor.org/rfc/rfc5424 https://www.rfc-editor.org/rfc/rfc3164
 */
import { EventBuilder } from "./builder.ts";
import type { EventParser } from "./event.ts";
import { bsdTime, isoTime } from "./event_time.ts";

const FACILITIES = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit " +
  "alert clock local0 local1 local2 local3 local4 local5 local6 local7";
const SEVERITIES = "emerg alert crit err warning notice info debug";
const FACILITY_NAMES = FACILITIES.split(" ");
const SEVERITY_NAMES = SEVERITIES.split(" ");

const PRIORITY = /^<(0|[1-9]\d{0,2})>/;
const PRIORITY_MAX = 191;

/** What stands before the text of RFC 5424, behind the priority. */
const HEADER = /^1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+)/;

/** Of the older form, behind the priority: time, host, program, process. */
const BSD = /^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (\S+) /;
const TAG = /^([^\s:[\]]{1,128})(?:\[([^\]\s]{1,128})\])?(: ?)/;

/** Reads one message; `nowMs` tells the year of times that have none. */
export function syslog(nowMs: () => number): EventParser {
  return (line) => {
    const builder = new EventBuilder();
    const priority = PRIORITY.exec(line);
    let rest = line;
    if (priority !== null) {
      const [all, digits = ""] = priority;
      const code = Number(digits);
      if (code > PRIORITY_MAX) return "no_format";
      builder.literal("<");
      builder.word("priority", digits);
      builder.literal(">");
      addNames(builder, code);
      rest = line.slice(all.length);
    }
    const header = HEADER.exec(rest);
    return header === null ? older(builder, rest, nowMs()) : newer(builder, rest, header);
  };
}

function addNames(builder: EventBuilder, code: number) {
  const facility = FACILITY_NAMES[code >> 3] ?? "";
  const severity = SEVERITY_NAMES[code & 7] ?? "";
  builder.derived({ name: "facility", type: "VARCHAR", value: facility });
  builder.derived({ name: "severity", type: "VARCHAR", value: severity });
}

/** RFC 5424; its text may begin with a byte order mark. */
function newer(
  builder: EventBuilder,
  rest: string,
  header: RegExpExecArray,
): ReturnType<EventParser> {
  const [all, stamp = "", host = "", app = "", process = "", message = "", data = ""] = header;
  builder.literal("1 ");
  const time = stamp === "-" ? null : isoTime(stamp);
  if (time !== null) builder.time(time, stamp);
  else if (stamp === "-") builder.literal(stamp);
  else return "bad_time";
  for (
    const [name, value] of [
      ["host", host],
      ["app_name", app],
      ["procid", process],
      ["msgid", message],
      ["structured_data", data],
    ] as const
  ) {
    builder.literal(" ");
    if (value === "-") builder.literal(value);
    else builder.text(name, value);
  }
  const text = rest.slice(all.length);
  if (text !== "" && !text.startsWith(" ")) return "no_format";
  const [before = ""] = /^ ?\ufeff?/.exec(text) ?? [];
  builder.literal(before);
  if (text !== "") builder.text("message", text.slice(before.length));
  return builder.build();
}

/** RFC 3164, and what daemons write to files. */
function older(builder: EventBuilder, rest: string, nowMs: number): ReturnType<EventParser> {
  const start = BSD.exec(rest);
  if (start === null) return "no_format";
  const [all, stamp = "", host = ""] = start;
  const time = isoTime(stamp) ?? bsdTime(stamp, nowMs);
  if (time === null) return "bad_time";
  builder.time(time, stamp);
  builder.literal(" ");
  builder.text("host", host);
  builder.literal(" ");
  let text = rest.slice(all.length);
  const tag = TAG.exec(text);
  if (tag !== null) {
    const [before, app = "", process, colon = ""] = tag;
    builder.text("app_name", app);
    if (process !== undefined) {
      builder.literal("[");
      builder.text("procid", process);
      builder.literal("]");
    }
    builder.literal(colon);
    text = text.slice(before.length);
  }
  builder.text("message", text);
  return builder.build();
}
