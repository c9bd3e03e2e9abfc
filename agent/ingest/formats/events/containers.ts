/**
 * Logs of containers. CRI: `2016-10-06T00:17:09.669794202Z stdout F the text`; Docker's json-file:
 * `{"log":"the text\n","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"}`.
 * https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */
import { EventBuilder } from "./builder.ts";
import type { EventParser } from "./event.ts";
import { isoTime } from "./event_time.ts";
import { jsonLines } from "./json_lines.ts";
import type { InnerLine } from "./json_lines.ts";
import { timeRule } from "./time_rule.ts";
import type { TimeRule } from "./time_rule.ts";

const CRI = /^(\S+) (stdout|stderr) ([FP](?::\S*)?) /;

/** Where Docker keeps the text. */
export const DOCKER_LINE: InnerLine = { key: "log", column: "message" };

/** Reads CRI's form; `logtag` is P where the next line goes on with the text. */
export function cri(): EventParser {
  return (line) => {
    const match = CRI.exec(line);
    if (match === null) return "no_format";
    const [all, stamp = "", stream = "", tag = ""] = match;
    const time = isoTime(stamp);
    if (time === null) return "bad_time";
    const builder = new EventBuilder();
    builder.time(time, stamp);
    builder.literal(" ");
    builder.text("stream", stream);
    builder.literal(" ");
    builder.text("logtag", tag);
    builder.literal(" ");
    builder.text("message", line.slice(all.length));
    return builder.build();
  };
}

/** Reads Docker's form; the text is `message`. One that goes on in the next line has no line end. */
export function docker(nowMs: () => number): EventParser {
  return jsonLines(dockerTime(nowMs), DOCKER_LINE);
}

/** Docker says where the time is. */
export function dockerTime(nowMs: () => number): TimeRule {
  return timeRule({ field: "time", format: "iso" }, nowMs);
}
