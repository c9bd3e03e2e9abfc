/** Lines that the scanner of layouts reads, and lines that look like them. */
import { fc } from "../../../../harness/properties.ts";
import type { Format } from "../../../../../agent/stream_format.ts";

const number = fc.oneof(
  fc.integer().map(String),
  fc.integer({ min: -9_999, max: 9_999_999 }).map((n) => String(n / 1_000)),
  fc.tuple(fc.nat(99_999), fc.integer({ min: 1, max: 9 })).map(([n, d]) => n.toFixed(d)),
  fc.constantFrom("-0", "0.0", "-0.0", "1e5", "01", "1.", ".5", "0.00001", "0.00010", "1.10"),
  fc.constantFrom("123456789012345", "1234567890123456", "9".repeat(30), "-12345678901234"),
);
const text = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z0-9 é😀.,:/-]{0,12}$/) },
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom('a"b', "a\\b", "tab\t", "line\nfeed", "\u0000", "\u007f", "/", "\ud800"),
);
const time = fc.oneof(
  fc.integer({ min: 0, max: 4e12 }).map((ms) => new Date(ms).toISOString()),
  fc.tuple(fc.nat(59), fc.nat(999_999)).map(([s, us]) =>
    `2026-11-23 10:00:${String(s).padStart(2, "0")}.${String(us).padStart(6, "0")}+01:00`
  ),
  fc.constantFrom("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.123456789Z", "2026-13-01", "soon"),
);
const value = fc.oneof(
  number,
  text.map((value) => JSON.stringify(value)),
  text.map((value) => `"${value}"`),
  fc.constantFrom("true", "false", "null", "{}", '{"a":[1,"}"]}', "[1,2]", "[1,2", '{"a":"\\""}'),
);
const timeMember = fc.oneof(
  time.map((value) => `"time":"${value}"`),
  fc.constantFrom("1790000000", "1790000000.123", "1790000000123", "179").map((n) => `"ts":${n}`),
);
const member = fc.tuple(fc.constantFrom("a", "b", "A", "msg", "host", "level"), value)
  .map(([key, value]) => `"${key}":${value}`);
const jsonLine = fc.tuple(
  fc.array(timeMember, { maxLength: 1 }),
  fc.array(member, { maxLength: 3 }),
  fc.constantFrom("", "", "", "\r", " ", "x"),
).map(([first, rest, end]) => `{${[...first, ...rest].join(",")}}${end}`);
const dockerLine = fc.tuple(text, fc.boolean(), time).map(([text, isWhole, time]) =>
  `{"log":${JSON.stringify(isWhole ? `${text}\n` : text)},"stream":"stdout","time":"${time}"}`
);

const pair = fc.tuple(
  fc.constantFrom("a", "b", "A", "msg", "host", "é"),
  fc.oneof(
    number,
    fc.constantFrom("true", "false", "", "a=b", "a\u00a0b", "12ms", "a\\b", '"', "-"),
    fc.stringMatching(/^[a-zé/.:-]{1,8}$/),
    text.map((value) => `"${value}"`),
    text.map((value) => JSON.stringify(value)),
  ),
).map(([key, value]) => `${key}=${value}`);
const logfmtLine = fc.tuple(
  fc.array(time.map((value) => `time=${value}`), { maxLength: 1 }),
  fc.array(fc.oneof({ weight: 5, arbitrary: pair }, fc.constantFrom("alone", "")), {
    maxLength: 4,
  }),
  fc.constantFrom("", "", "", "\r", " "),
).map(([first, rest, end]) => `${[...first, ...rest].join(" ")}${end}`);

/** A log_format with variables of every kind. */
export const LOG_FORMAT = {
  nginx:
    '$remote_addr [$time_local] "$request" $status $bytes_sent "$http_user_agent" $request_time a=$upstream_addr u=$upstream_response_time',
};
const word = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-z0-9.é]{0,9}$/) },
  fc.string({ unit: "binary", maxLength: 5 }),
);
const logFormatLine = fc.tuple(
  word,
  fc.nat(59),
  fc.oneof(word, word.map((target) => `GET /${target} HTTP/1.1`), fc.constant("GET /a b HTTP/2")),
  fc.oneof(number, fc.constant("200")),
  fc.oneof(number, fc.constant("-")),
  word,
  fc.oneof(number, fc.constantFrom("-", "0.123", "123456.789")),
  fc.oneof(word, fc.constantFrom("10.0.0.1:80", "10.0.0.1:80, 10.0.0.2:80", "a : b", "a :", "-")),
  fc.oneof(number, fc.constantFrom("-", "0.001, 0.002", "0.1 : 0.25", "0.100", "\r")),
).map(([addr, s, request, status, bytes, agent, took, from, upstream]) =>
  `${addr} [23/Nov/2026:10:00:${
    String(s).padStart(2, "0")
  } +0000] "${request}" ${status} ${bytes} "${agent}" ${took} a=${from} u=${upstream}`
);

const JSON_FORMAT =
  `log_format j escape=json '{"t":"$time_iso8601","r":"$request","s":$status,"a":"$http_user_agent"}';`;
const escapedWord = fc.oneof(word, text.map((value) => JSON.stringify(value).slice(1, -1)));
const jsonFormatLine = fc.tuple(
  fc.nat(59),
  fc.oneof(escapedWord, escapedWord.map((target) => `GET /${target} HTTP/1.1`)),
  fc.oneof(number, fc.constant("200")),
  escapedWord,
).map(([s, request, status, agent]) =>
  `{"t":"2026-11-23T10:00:${
    String(s).padStart(2, "0")
  }+00:00","r":"${request}","s":${status},"a":"${agent}"}`
);

/** Formats whose lines are read from their bytes, with lines of them, nearly of them, and others. */
export const SCANNABLE: readonly { format: Format; line: fc.Arbitrary<string> }[] = [
  { format: "json", line: jsonLine },
  { format: "docker", line: dockerLine },
  { format: "logfmt", line: logfmtLine },
  { format: LOG_FORMAT, line: logFormatLine },
  { format: { nginx: JSON_FORMAT }, line: jsonFormatLine },
];
