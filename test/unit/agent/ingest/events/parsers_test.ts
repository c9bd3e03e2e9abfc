/** What lines of other programs say, as their formats' documents and real logs have them. */
import assert from "node:assert/strict";
import { createEventParser } from "../../../../../agent/ingest/formats/events/event_parser.ts";
import { logFormatProblem } from "../../../../../agent/ingest/formats/events/log_format.ts";
import { rendered } from "../../../../../agent/ingest/formats/events/render.ts";
import { Format } from "../../../../../agent/stream_format.ts";
import { cpuMsOf } from "../../../../harness/turns.ts";
import { NOW_MS } from "./scene.ts";

/** Checks the fields of a line, `ts` among them, and whether its fields make it up again. */
function check(
  format: unknown,
  line: string,
  expected: Record<string, unknown>,
  { isBuilt = true }: { isBuilt?: boolean } = {},
) {
  const parse = createEventParser({
    format: Format.parse(format),
    time: null,
    nowMs: () => NOW_MS,
  });
  const event = parse(line);
  if (typeof event === "string") throw new Error(`${event}: ${line}`);
  const { time, fields, pieces } = event;
  const found = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
  const ts = time === null ? {} : { ts: new Date(Number(time.ts / 1_000n)).toISOString() };
  assert.deepEqual({ ...ts, ...found }, expected, line);
  assert.equal(pieces !== null, isBuilt, line);
  if (pieces !== null) assert.equal(rendered(pieces, event), line);
}

const AT = "2026-11-23T09:59:01.000Z";

Deno.test("syslog as daemons write it to files: RFC 3164 without priority, and with RFC 3339 times", () => {
  const cron = { log_host: "web-1", app_name: "CRON", procid: "1234", message: "(root) CMD (x)" };
  check("syslog", "Nov 23 09:59:01 web-1 CRON[1234]: (root) CMD (x)", { ts: AT, ...cron });
  check("syslog", "2026-11-23T10:59:01.000+01:00 web-1 CRON[1234]: (root) CMD (x)", {
    ts: AT,
    ...cron,
  });
  check("syslog", "Nov  3 09:59:01 web-1 kernel: [12345.678901] eth0: up", {
    ts: "2026-11-03T09:59:01.000Z",
    log_host: "web-1",
    app_name: "kernel",
    message: "[12345.678901] eth0: up",
  });
  check("syslog", "Dec 31 23:59:59 web-1 last message repeated 3 times", {
    ts: "2025-12-31T23:59:59.000Z",
    log_host: "web-1",
    message: "last message repeated 3 times",
  });
  check("syslog", "2026-11-23T10:00:00.123456+00:00 host app[1]: msg", {
    ts: "2026-11-23T10:00:00.123Z",
    log_host: "host",
    app_name: "app",
    procid: "1",
    message: "msg",
  });
});

Deno.test("syslog of RFC 3164 with its priority", () => {
  check("syslog", "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", {
    ts: "2026-10-11T22:14:15.000Z",
    priority: 34,
    facility: "auth",
    severity: "crit",
    log_host: "mymachine",
    app_name: "su",
    message: "'su root' failed for lonvick on /dev/pts/8",
  });
});

Deno.test("syslog of RFC 5424: its own examples, nil values, escapes, a byte order mark", () => {
  const notice = { priority: 165, facility: "local4", severity: "notice" };
  check(
    "syslog",
    "<34>1 2003-10-11T22:14:15.003Z m.example.com su - ID47 - \ufeff'su root' failed",
    {
      ts: "2003-10-11T22:14:15.003Z",
      priority: 34,
      facility: "auth",
      severity: "crit",
      log_host: "m.example.com",
      app_name: "su",
      msgid: "ID47",
      message: "'su root' failed",
    },
  );
  check("syslog", "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% Time", {
    ts: "2003-08-24T12:14:15.000Z",
    ...notice,
    log_host: "192.0.2.1",
    app_name: "myproc",
    procid: "8710",
    message: "%% Time",
  });
  const data = String
    .raw`[exampleSDID@32473 iut="3" a="x\]\"y"][examplePriority@32473 class="high"]`;
  check("syslog", `<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 ${data}`, {
    ts: "2003-10-11T22:14:15.003Z",
    ...notice,
    log_host: "m",
    app_name: "evntslog",
    msgid: "ID47",
    structured_data: data,
  });
  check("syslog", "<165>1 - - - - - -", notice);
});

const DIRECTIVE = `log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                   '$status $body_bytes_sent "$http_referer" '
                   "\\"$http_user_agent\\" \\"$http_x_forwarded_for\\"";`;

Deno.test("an nginx directive is pasted as it stands, quotes and all", () => {
  const line = '192.0.2.1 - - [23/Nov/2026:09:59:01 +0000] "GET /a HTTP/1.1" 200 7 "-" "x y" "-"';
  const expected = {
    ts: AT,
    remote_addr: "192.0.2.1",
    remote_user: "-",
    http_method: "GET",
    request: "/a",
    http_version: "HTTP/1.1",
    status: 200,
    body_bytes_sent: 7,
    http_referer: "-",
    http_user_agent: "x y",
    http_x_forwarded_for: "-",
  };
  check({ nginx: DIRECTIVE }, line, expected);
  check({ nginx: DIRECTIVE.replace("log_format main ", "").replace(";", "") }, line, expected);
  const broken = DIRECTIVE.replace("';", "").replace('";', "");
  assert.match(
    logFormatProblem(broken) ?? "",
    /all of the directive, log_format NAME '...' '...';/,
  );
});

Deno.test("an nginx format of JSON: braces behind variables, escapes", () => {
  const nginx = `log_format x escape=json '{"t":"$time_iso8601","r":"$request",'
    '"ua":"$http_user_agent","took":$request_time}';`;
  const line = (agent: string) =>
    `{"t":"2026-11-23T09:59:01+00:00","r":"GET / HTTP/1.1","ua":"${agent}","took":0.010}`;
  const expected = {
    ts: AT,
    http_method: "GET",
    request: "/",
    http_version: "HTTP/1.1",
    request_time_ms: 10,
  };
  const bare = nginx.replace("log_format x escape=json ", "");
  for (const format of [nginx, nginx.replace("log_format x ", ""), bare]) {
    check({ nginx: format }, line("x"), { ...expected, http_user_agent: "x" });
    check({ nginx: format }, line('a \\"b\\" c'), { ...expected, http_user_agent: 'a "b" c' });
    check({ nginx: format }, line("\\u001b"), { ...expected, http_user_agent: "\x1b" }, {
      isBuilt: false,
    });
  }
});

Deno.test("nginx variables side by side, times of several upstreams", () => {
  const nginx = "$msec $scheme://$host$uri$is_args$args ${status}x " +
    "$upstream_response_time $upstream_connect_time";
  const head = { ts: "2026-11-24T06:00:00.123Z", scheme: "https", log_host: "example.com" };
  check({ nginx }, "1795500000.123 https://example.com/a/b?c=/d 200x 0.1, 0.2 -", {
    ...head,
    uri: "/a/b",
    is_args: "?",
    args: "c=/d",
    status: 200,
    upstream_response_time: 0.3,
  }, { isBuilt: false });
  check({ nginx }, "1795500000.123 https://example.com/ 404x 0.100 : -, 0.250 0.5", {
    ...head,
    uri: "/",
    is_args: "",
    args: "",
    status: 404,
    upstream_response_time: 0.35,
    upstream_connect_time: 0.5,
  }, { isBuilt: false });
});

Deno.test("a line that an nginx format cannot read is told at once, however many blanks it has", () => {
  const nginx = "$remote_addr $a $b $c $d $e $f $g [$time_local] $status";
  const parse = createEventParser({ format: { nginx }, time: null, nowMs: () => NOW_MS });
  const takenMs = cpuMsOf(() => {
    assert.equal(parse("word ".repeat(1_000)), "no_format");
    assert.equal(parse("x [".repeat(1_000)), "no_format");
  });
  assert(takenMs < 5_000, `${takenMs} ms`);
});

Deno.test("logfmt: quoted and empty values, keys alone", () => {
  check(
    "logfmt",
    String.raw`time=2026-11-23T09:59:01Z level=info msg="a \"b\" c" empty= flag n=1 q="" d=1.5ms`,
    { ts: AT, level: "info", msg: 'a "b" c', flag: true, n: 1, q: "", d: "1.5ms" },
  );
});

Deno.test("containers: Docker's lines that go on, CRI's tags", () => {
  const ts = "2026-11-23T09:59:01.123Z";
  const time_text = "2026-11-23T09:59:01.123456789Z";
  const docker = (log: string) => `{"log":"${log}","stream":"stdout","time":"${time_text}"}`;
  for (const [log, message] of [["one\\n", "one"], ["part", "part"], ['a \\"b\\"\\n', 'a "b"']]) {
    check("docker", docker(log ?? ""), { ts, time_text, log_stream: "stdout", message });
  }
  check("docker", docker("\\u003cb\\u003e\\n"), {
    ts,
    time_text,
    log_stream: "stdout",
    message: "<b>",
  }, { isBuilt: false });
  for (const logtag of ["F", "P"]) {
    const expected = { ts, time_text, log_stream: "stderr", logtag };
    check("cri", `${time_text} stderr ${logtag} a text`, { ...expected, message: "a text" });
    check("cri", `${time_text} stderr ${logtag} `, { ...expected, message: "" });
  }
});

Deno.test("a byte order mark at a file's start is no part of its first line's fields", () => {
  check("json", '\ufeff{"a":1}', { a: 1 });
  check("logfmt", "\ufeffa=1", { a: 1 });
});

Deno.test("escapes of JSON say what they stand for, a backslash's own among them", () => {
  const escaped = (path: string) => JSON.stringify(path).slice(1, -1);
  for (const path of ["C:\\Users\\new", "\\\\host\\x", "\\", "\\d+\\.\\w", 'say "\\u"\n']) {
    check("json", `{"path":"${escaped(path)}"}`, { path });
    check("logfmt", `path="${escaped(path)}"`, { path });
  }
  check("json", '{"path":"\\\\\\u0041"}', { path: "\\A" }, { isBuilt: false });
  check("logfmt", 'path="\\u003cb\\u003e"', { path: "<b>" }, { isBuilt: false });
  check("logfmt", String.raw`path="\d"`, { path: String.raw`\d` }, { isBuilt: false });
});

Deno.test("a small number at the key of a time says how long something took", () => {
  check("json", '{"time":0.035,"a":1}', { time: 0.035, a: 1 });
  check("logfmt", "time=35 a=1", { time: 35, a: 1 });
  const ts = "2026-11-23T09:59:01.000Z";
  check("json", `{"time":0.035,"@timestamp":"${ts}"}`, { ts, time: 0.035 });
  check("json", `{"@timestamp":"${ts}","ts":{"a":1},"time":"soon"}`, {
    ts,
    log_ts: '{"a":1}',
    time: "soon",
  });
  check("logfmt", `time=35 ts=soon timestamp=${ts} @timestamp=x`, {
    ts,
    time: 35,
    log_ts: "soon",
    "@timestamp": "x",
  });
  check("json", '{"ts":1795427941.500,"a":1}', { ts: "2026-11-23T09:59:01.500Z", a: 1 });
  check("json", '{"ts":100000000,"a":1}', { ts: "1973-03-03T09:46:40.000Z", a: 1 });
});
