/** Lines of all formats of events: as programs write them, nearly so, and anything. */
import { fc } from "../../../../harness/properties.ts";

/** What any value may be, without a line feed. */
const part = fc.oneof(
  fc.constantFrom("", "-", '\\"', "\\u0000", "\\ud800", "\\n", "\\/", "\\", '"', " ", "  ", "]"),
  fc.constantFrom("\0", "\r", "\t", "é", "e\u0301", "\u0301", "😀", "\ufeff", "\u2028", "\x7f"),
  fc.constantFrom("\\]", "=", "[", "{}", ": ", "'", "$", "\u200d", "👩‍👩‍👧", "İ", "%"),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 10 }),
);
const odd = fc.array(part, { maxLength: 4 }).map((parts) => parts.join("").replaceAll("\n", ""));
const plain = fc.stringMatching(/^[a-z0-9./-]{1,9}$/);
export const text = fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: odd });
const word = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,9}$/);

export const number = fc.oneof(
  fc.nat(1_000).map(String),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.integer(), fc.nat(12)).map(([n, digits]) => (n / 1_000).toFixed(digits)),
  fc.constantFrom("-0", "-0.0", "0.0", "1e5", "1.10", "0.1", "1E400", "-1e-7", "0.0000001", "01"),
  fc.constantFrom("1".repeat(15), "9".repeat(16), "9".repeat(20), "0.1234567890123", "1.", "+1"),
);

/** Mostly of a few hours: each takes the store a file. */
const second = fc.oneof(
  { weight: 40, arbitrary: fc.integer({ min: 1_795_500_000, max: 1_795_507_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 4e9 }) },
);
const clock = second.map((s) => new Date(s * 1_000).toISOString().slice(0, 19));
const wrongClock = fc.constantFrom(
  "0001-01-01T00:00:00",
  "9999-12-31T23:59:59",
  "1969-12-31T23:59:59",
  "2016-12-31T23:59:60",
  "2023-02-29T00:00:00",
  "2023-02-30T25:00:00",
  "1970-01-01T00:00:00",
);
const fraction = fc.stringMatching(/^[0-9]{1,9}$/).map((digits) => `.${digits}`);
const zone = fc.constantFrom("Z", "", "+00:00", "+0000", "-00:00", "-0330", "+05:45", "-11:30");
export const isoTime = fc.tuple(
  fc.oneof({ weight: 15, arbitrary: clock }, { weight: 1, arbitrary: wrongClock }),
  fc.constantFrom("T", "T", " "),
  fc.oneof(fc.constant(""), fraction, fc.constant(",123")),
  zone,
).map(([at, separator, decimals, end]) => at.replace("T", separator) + decimals + end);

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const month = (at: string) => MONTHS[Number(at.slice(5, 7)) - 1] ?? "Foo";
export const nginxTime = fc.tuple(clock, fc.constantFrom("+0000", "-0000", "+0530", "-1130"))
  .map(([at, end]) => `${at.slice(8, 10)}/${month(at)}/${at.slice(0, 4)}:${at.slice(11)} ${end}`);
export const bsdTime = fc.tuple(clock, fc.boolean()).map(([at, isPadded]) => {
  const day = isPadded ? at.slice(8, 10) : String(Number(at.slice(8, 10))).padStart(2);
  return `${month(at)} ${day} ${at.slice(11)}`;
});
export const epoch = fc.oneof(
  second.map(String),
  fc.tuple(second, fraction).map(([s, decimals]) => `${s}${decimals}`),
  fc.tuple(second, fc.constantFrom("123", "123456", "123456789")).map((both) => both.join("")),
  fc.constantFrom("0", "007", "9007199254740993", "99999999999", "1795500000.", "9".repeat(19)),
);
export const anyTime = fc.oneof(isoTime, isoTime, nginxTime, bsdTime, epoch);

const KEYS = [
  ...["time", "ts", "timestamp", "@timestamp", "level", "msg", "status", "n", "ok", "User", "user"],
  ...["host", "region", "stream", "line", "line_bytes", "layout", "line_text", "line_raw"],
  ...["generation", "line_offset", "line_length", "time_zone_min", "ts_arrival", "time_text"],
  ...["log_host", "constructor", "__proto__", "toString", "Constructor", 'a"b', "a b", "é", "É"],
  ...["", "request_time_ms", "time_local", "k".repeat(119), "k".repeat(121), "\\u0000", "\\ud800"],
];
const key = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...KEYS).map((name) => name.replaceAll('"', '\\"')) },
  { weight: 2, arbitrary: fc.nat(300).map((n) => `key${n}`) },
  { weight: 1, arbitrary: word },
);

const nested = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom("{}", "[]", '{"a":[1, 2]}', '["\\ud800"]', "[".repeat(50) + "]".repeat(50), "[1"),
);
const jsonValue = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 3, arbitrary: text.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: text.map((value) => `"${value}"`) },
  { weight: 2, arbitrary: fc.constantFrom("true", "false", "null", '""', '"true"', "NaN") },
  { weight: 1, arbitrary: nested },
);
const blank = fc.oneof(
  { weight: 8, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.constantFrom(" ", "\t", "  ") },
);
const timeMember = fc.tuple(fc.constantFrom("time", "ts"), anyTime, fc.boolean())
  .map(([name, value, isText]) => `"${name}":${isText ? `"${value}"` : value}`);
const member = fc.tuple(key, blank, jsonValue, blank)
  .map(([name, before, value, behind]) => `"${name}":${before}${value}${behind}`);
const oddJson = fc.tuple(
  fc.option(timeMember, { nil: null }),
  fc.array(member, { maxLength: 8 }),
  fc.constantFrom("", "", "", " ", ",", "}"),
).map(([time, members, end]) =>
  `{${[...(time === null ? [] : [time]), ...members].join(",")}}${end}`
);

/** Of one program: the same members, whose types change now and then. */
const evenJson = fc.record({
  time: clock,
  n: fc.oneof(fc.constant("1"), number),
  user: text,
  ok: fc.oneof(fc.constantFrom("true", "false"), jsonValue),
}).map(({ time, n, user, ok }) =>
  `{"time":"${time}Z","n":${n},"user":${JSON.stringify(user)},"ok":${ok}}`
);
const json = fc.oneof(evenJson, oddJson);

const quoted = text.map((value) => JSON.stringify(value));
const pair = fc.oneof(
  fc.tuple(word, fc.oneof(number, word, quoted, quoted, text)).map(([k, v]) => `${k}=${v}`),
  fc.tuple(fc.constantFrom(...KEYS), fc.oneof(number, quoted)).map(([k, v]) => `${k}=${v}`),
  word,
  word.map((name) => `${name}=`),
);
const logfmt = fc.oneof(
  fc.record({ time: anyTime, level: plain, msg: quoted, n: number })
    .map(({ time, level, msg, n }) => `time="${time}" level=${level} msg=${msg} n=${n}`),
  fc.tuple(isoTime, fc.array(pair, { maxLength: 6 }), fc.constantFrom(" ", " ", "  ", "\t"))
    .map(([time, pairs, between]) => [`ts=${time}`, ...pairs].join(between)),
);

const priority = fc.oneof(fc.nat(200).map((n) => `<${n}>`), fc.constantFrom("", "<034>", "<>"));
const tag = fc.constantFrom("app[12]: ", "app: ", "kernel: [1.5] ", "app[x] ", "", "a b: ", "app:");
const syslogOld = fc.tuple(priority, fc.oneof(bsdTime, isoTime), word, tag, text)
  .map(([pri, time, host, app, message]) => `${pri}${time} ${host} ${app}${message}`);
const data = fc.oneof(
  fc.constantFrom("-", "[a@1]", '[a@1 b="c"][d@2 e="f\\]g\\"h"]', '[a b="]"', "[", '[a b="x\\\\"]'),
  text.map((value) => `[x@1 y="${value}"]`),
);
const syslogNew = fc.tuple(priority, fc.oneof(isoTime, fc.constant("-")), data, text)
  .map(([pri, time, elements, message]) =>
    `${pri}1 ${time} web-1 app - ID47 ${elements} ${message}`
  );
const syslog = fc.oneof(syslogOld, syslogNew, syslogNew.map((line) => line.trimEnd()));

const criTag = fc.constantFrom("F", "P", "P:x", "", "X");
const cri = fc.tuple(isoTime, fc.constantFrom("stdout", "stderr", "other"), criTag, text)
  .map(([time, stream, end, message]) => `${time} ${stream} ${end} ${message}`);
const docker = fc.tuple(isoTime, text, fc.constantFrom("\\n", "", "\\\\n", "\\r\\n"))
  .map(([time, message, end]) => {
    const log = JSON.stringify(message).slice(1, -1) + end;
    return `{"log":"${log}","stream":"stdout","time":"${time}"}`;
  });

const seconds = fc.constantFrom("0.001", "12.345", "-", "0.1, 0.2", "0.010 : 0.020", "-, 0.5", "");
const nginx = fc.record({
  address: text,
  time: nginxTime,
  request: fc.oneof(text, plain.map((path) => `GET /${path} HTTP/1.1`)),
  status: fc.constantFrom("200", "404", "-", "000", "99999999999"),
  bytes: number,
  agent: text,
  took: seconds,
  upstream: seconds,
}).map((l) =>
  `${l.address} [${l.time}] "${l.request}" ${l.status} ${l.bytes} "${l.agent}" ` +
  `rt=${l.took} ut="${l.upstream}"`
);
/** As nginx itself escapes it, and not. */
const inJson = text.chain((value) => fc.constantFrom(JSON.stringify(value).slice(1, -1), value));
const nginxJson = fc.tuple(clock, inJson, inJson, seconds)
  .map(([at, request, agent, took]) =>
    `{"t":"${at}+00:00","r":"${request}","a":"${agent}","took":${took}}`
  );
const regex = fc.tuple(clock, word, number, text)
  .map(([at, level, n, message]) =>
    `${at.replaceAll("-", "/").replace("T", " ")} [${level}] ${n}: ${message}`
  );

/** A format as agent.yaml has it, and lines for it. */
export const EVENT_FORMATS: Record<
  string,
  { config: Record<string, unknown>; line: fc.Arbitrary<string> }
> = {
  json: { config: { format: "json" }, line: json },
  "json of one program": { config: { format: "json" }, line: evenJson },
  "json with a time that is needed": {
    config: { format: "json", time: { field: "time", format: "iso" } },
    line: json,
  },
  logfmt: { config: { format: "logfmt" }, line: logfmt },
  syslog: { config: { format: "syslog" }, line: syslog },
  cri: { config: { format: "cri" }, line: cri },
  docker: { config: { format: "docker" }, line: docker },
  raw: { config: { format: "raw" }, line: odd },
  nginx: {
    config: {
      format: {
        nginx: '$remote_addr [$time_local] "$request" $status $body_bytes_sent ' +
          '"$http_user_agent" rt=$request_time ut="$upstream_response_time"',
      },
    },
    line: nginx,
  },
  "nginx JSON": {
    config: {
      format: {
        nginx: `log_format x escape=json '{"t":"$time_iso8601","r":"$request",'
          '"a":"$host$request_uri","took":$request_time}';`,
      },
    },
    line: nginxJson,
  },
  regex: {
    config: {
      format: { regex: String.raw`(?<at>\S+ \S+) \[(?<level>\w+)\] (?<n>\S+): (?<message>.*)` },
      time: { field: "at", format: "%Y/%m/%d %H:%M:%S" },
    },
    line: regex,
  },
};

const encoder = new TextEncoder();

/** Bytes of lines of a kind, some of them damaged, without line ends. */
export function damaged(line: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const good = line.map((text) => encoder.encode(text));
  return fc.oneof(
    { weight: 12, arbitrary: good },
    { weight: 1, arbitrary: line.map((text) => encoder.encode(`${text}\r`)) },
    { weight: 1, arbitrary: line.map((text) => encoder.encode(`\0\0${text}`)) },
    { weight: 1, arbitrary: line.map((text) => encoder.encode(`\ufeff${text}`)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    {
      weight: 1,
      arbitrary: fc.tuple(good, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      }),
    },
  ).map((bytes) => bytes.filter((byte) => byte !== 0x0a));
}
