/** The formats that a stream may have, as configured. */
import { z } from "zod";
import { nearMiss } from "../protocol/config/near_miss.ts";
import { ACCESS_SHAPE, EMPTY_SHAPE } from "../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../protocol/schema/stream_shape.ts";
import { logFormatColumns, logFormatProblem } from "./ingest/formats/events/log_format.ts";
import { groupsProblem } from "./ingest/formats/events/regex.ts";

/** Of access logs; `auto` is any of them, and JSON lines with nginx's names, line by line. */
export const ACCESS_FORMATS = ["combined", "common", "auto"] as const;
/** Of other logs, whose columns are those that the lines turn out to have. */
export const EVENT_FORMATS = ["json", "logfmt", "syslog", "cri", "docker", "raw"] as const;

const NAMES = [...ACCESS_FORMATS, ...EVENT_FORMATS] as const;

/** Servers whose logs have no format of their own name. */
const SERVERS = ["nginx", "apache"];

const Nginx = z.strictObject({
  nginx: z.string().min(1).superRefine(checked(logFormatProblem))
    .describe("the text of nginx's log_format"),
});

const Regex = z.strictObject({
  regex: z.string().min(1).superRefine(checked(groupsProblem))
    .describe("regular expression for a whole line; its named groups become columns"),
});

export const Format = z.union([z.enum(NAMES), Nginx, Regex], {
  error: ({ input }) => formatWanted(input),
});

/** What a stream's lines look like, as configured. */
export type Format = z.infer<typeof Format>;

/** Those that are read by the one access parser. */
export type AccessFormatName = typeof ACCESS_FORMATS[number];

/** Says whether lines may bring columns that are not known beforehand. */
export function isOpenFormat(format: Format): boolean {
  return typeof format === "string" ? !isAccessName(format) : "regex" in format;
}

/** Says whether it is one of those that the access parser reads. */
export function isAccessName(format: Format): format is AccessFormatName {
  return ACCESS_FORMATS.some((name) => name === format);
}

/** What it is called in a sentence. */
export function formatName(format: Format): string {
  if (typeof format === "string") return format === "auto" ? "an access log" : format;
  return "nginx" in format ? "this log_format" : "this regex";
}

/** What rows of a format have before any is read. */
export function shapeOfFormat(format: Format): StreamShape {
  if (isOpenFormat(format)) return EMPTY_SHAPE;
  if (typeof format === "string" || !("nginx" in format)) return ACCESS_SHAPE;
  return { ...ACCESS_SHAPE, fields: logFormatColumns(format.nginx) };
}

function checked(problemOf: (text: string) => string | null) {
  return (input: string, context: z.RefinementCtx) => {
    const message = problemOf(input);
    if (message !== null) context.addIssue({ code: "custom", message, input });
  };
}

/** For people who name the server too, or mistype. */
function formatWanted(found: unknown): string {
  const wanted = `${NAMES.join(", ")}, { nginx: LOG_FORMAT } or { regex: PATTERN }`;
  const server = typeof found === "string" ? nearMiss(found, SERVERS) : null;
  if (server !== null) return `${wanted}; ${server} logs are combined (or auto)`;
  const near = typeof found === "string" ? nearMiss(found, NAMES) : null;
  return near === null ? wanted : `${wanted}. Did you mean ${near}?`;
}
