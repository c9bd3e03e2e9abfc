/** The `streams` part of agent.yaml: what is read, and what is done with it before it is stored. */
import { z } from "zod";
import { Duration } from "../protocol/config/config_file.ts";
import { StreamName } from "../protocol/names.ts";
import { listenAddress } from "../protocol/config/listen_address.ts";
import { Format, isAccessName } from "./stream_format.ts";
import { HOST_TABLES } from "../protocol/schema/streams.ts";
import { timeFormatProblem } from "./ingest/formats/events/time_rule.ts";
import { Secret } from "./secret.ts";
import { patternProblem, REDACTABLE } from "./rules/redact.ts";

/** A record of more lines is cut: what does not end must not wait for ever. */
const RECORD_LINES_MAX = 10_000;

/** Each makes manifests longer, by 5 bytes for every text of a chunk. */
const INDEXED_MAX = 8;

const Pattern = z.string().min(1).superRefine((pattern, context) => {
  const problem = patternProblem(pattern);
  if (problem !== null) context.addIssue({ code: "custom", message: problem, input: pattern });
});

const Multiline = z.strictObject({
  start: Pattern.describe(
    "regular expression that the first line of a record matches; the lines after it that do not are its own",
  ),
  max_lines: z.int().min(2).max(RECORD_LINES_MAX).default(1_000)
    .describe("a record that is longer is cut there"),
  quiet: Duration.prefault("1s")
    .describe("the last record of a file ends when nothing was added for this long"),
});

const Redact = z.strictObject({
  field: z.string().min(1).optional().describe("the column whose values are replaced"),
  pattern: Pattern.optional().describe(
    "regular expression: what matches is replaced wherever it stands in a line",
  ),
  by: z.enum(["mask", "hash"]).describe(
    "mask: `***`; hash: 16 hex digits of HMAC-SHA-256, the same for the same value",
  ),
  key: Secret.optional().describe(
    "of the hash, 16 bytes or more: without it values can be guessed",
  ),
}).refine(
  ({ field, pattern }) => (field === undefined) !== (pattern === undefined),
  "either field or pattern",
).refine(
  ({ by, key }) => (by === "hash") === (key !== undefined),
  "a key with hash, and only there",
);

const Drop = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/, "letters, digits, _ and -, up to 40")
    .describe("what dropped lines are counted under"),
  when: z.string().min(1).describe(
    "SQL condition over the stream's columns as they would be stored; lines for which it is true are counted, not stored",
  ),
});

const Time = z.strictObject({
  field: z.string().min(1).optional()
    .describe("that holds it; none: ts, time, timestamp or @timestamp"),
  format: z.string().min(1).optional().superRefine((format, context) => {
    const message = format === undefined ? null : timeFormatProblem(format);
    if (message !== null) context.addIssue({ code: "custom", message, input: format });
  }).describe("iso, epoch, epoch_ms, nginx, bsd or a pattern like `%Y/%m/%d %H:%M:%S`"),
});

const Geo = z.strictObject({
  field: z.string().min(1).describe(
    "the column whose addresses are looked up in geo.database; of access logs remote_addr without it",
  ),
});

const Listen = z.strictObject({
  udp: listenAddress().optional().describe(
    "where datagrams are taken, a message each: 0.0.0.0:5514",
  ),
  tcp: listenAddress().optional()
    .describe("where connections are taken: octets counted (RFC 6587), or a line a message"),
}).refine(({ udp, tcp }) => udp !== undefined || tcp !== undefined, "udp or tcp");

/** One stream: its files, their form, its rules. */
export const Stream = z.strictObject({
  name: StreamName
    .refine((name) => !HOST_TABLES.includes(name), `any name but ${HOST_TABLES.join(", ")}`)
    .describe("the table's name in SQL"),
  format: Format.default("auto").describe(
    "combined: nginx's and Apache's access log, with or without a request time at its end; common: without referer and user agent; auto: any of these and JSON with nginx's names; json, logfmt, syslog, cri, docker: columns are what the lines have; raw: the line alone",
  ),
  time: Time.optional().describe("where the time is in json, logfmt and regex lines"),
  files: z.array(z.string().min(1)).default([]).describe("paths and globs of log files"),
  listen: Listen.optional(),
  stdin: z.boolean().default(false).describe("whether the agent's standard input is read as well"),
  read_from: z.enum(["beginning", "end"]).default("beginning")
    .describe("where a file seen for the first time is read from"),
  ignore_older: Duration.prefault("24h")
    .describe("files unchanged for longer are not read when first seen"),
  geo: Geo.optional(),
  multiline: Multiline.optional().describe("records of several lines"),
  index: z.array(z.string().min(1)).max(INDEXED_MAX, `up to ${INDEXED_MAX} columns`).default([])
    .refine((names) => new Set(names.map((name) => name.toLowerCase())).size === names.length, {
      message: "columns that differ",
    }).describe(
      "columns of texts that the archive's catalog knows the values of: a question for one of them opens only chunks that have it",
    ),
  redact: z.array(Redact).default([]).describe("what is replaced before anything is stored"),
  drop: z.array(Drop).default([]).describe("what is counted instead of stored")
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, {
      message: "names that differ",
    }),
}).superRefine(({ files, listen, stdin, read_from }, context) => {
  const spools = listen !== undefined || stdin;
  if (files.length === 0 && !spools) {
    context.addIssue({
      code: "custom",
      message: "files, listen or stdin",
      input: files,
      path: ["files"],
    });
  }
  if (spools && read_from === "end") {
    const message = "beginning: what comes to a stream that listens is all read";
    context.addIssue({ code: "custom", message, input: read_from, path: ["read_from"] });
  }
}).superRefine(({ format, redact }, context) => {
  if (!isAccessName(format)) return;
  for (const [i, { field }] of redact.entries()) {
    if (field === undefined || REDACTABLE.some((name) => name === field)) continue;
    const message = REDACTABLE.join(", ");
    context.addIssue({ code: "custom", message, input: field, path: ["redact", i, "field"] });
  }
});

/** A stream as configured. */
export type StreamConfig = z.infer<typeof Stream>;
