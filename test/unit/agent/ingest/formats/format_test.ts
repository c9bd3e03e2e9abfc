import assert from "node:assert/strict";
import { createLineParser } from "../../../../../agent/ingest/formats/format.ts";
import type { Format } from "../../../../../agent/ingest/formats/format.ts";
import type { AccessRow } from "../../../../../agent/ingest/formats/row.ts";

const TIME = "10/Oct/2023:13:55:36 +0000";
const COMBINED = `192.0.2.7 - - [${TIME}] "GET /a?b=1 HTTP/1.1" 200 1234 "-" "curl/8.5.0"`;
const JSON_LINE = '{"remote_addr":"192.0.2.7","remote_user":"-",' +
  '"time_local":"2023-10-10T13:55:36","http_method":"GET","request":"/a?b=1",' +
  '"http_version":"HTTP/1.1","status":200,"body_bytes_sent":1234,"http_referer":"-",' +
  '"http_user_agent":"curl/8.5.0"}';
const ROW: AccessRow = {
  ts: 1_696_946_136_000_000n,
  time_zone_min: 0,
  remote_addr: "192.0.2.7",
  remote_user: "-",
  http_method: "GET",
  request: "/a?b=1",
  http_version: "HTTP/1.1",
  status: 200,
  body_bytes_sent: 1234n,
  http_referer: "-",
  http_user_agent: "curl/8.5.0",
  request_time_ms: null,
  layout: "combined",
};

function check(line: string, expected: Partial<AccessRow> | string, format: Format = "auto") {
  const row = createLineParser(format)(line);
  if (typeof expected === "string") return assert.equal(row, expected, line);
  assert.deepEqual(row, { ...ROW, ...expected }, line);
}

Deno.test("combined lines become rows that rebuild them", () => {
  check(COMBINED, {});
  check(`${COMBINED} 0.042`, { request_time_ms: 42, layout: "combined_time" });
  check(`${COMBINED} 12.000`, { request_time_ms: 12_000, layout: "combined_time" });
  check(COMBINED.replace("192.0.2.7", "2001:db8::1"), { remote_addr: "2001:db8::1" });
  check(COMBINED.replace("- - [", "- ada lovelace ["), { remote_user: "ada lovelace" });
  check(COMBINED.replace('"-" ', '"" '), { http_referer: "" });
  check(COMBINED.replace("curl", 'cu\\"rl'), { http_user_agent: 'cu\\"rl/8.5.0' });
  check(COMBINED.replace("curl", "cu\\x22rl"), { http_user_agent: "cu\\x22rl/8.5.0" });
  check(COMBINED.replace("curl", "cu\\\\"), { http_user_agent: "cu\\\\/8.5.0" });
  check(COMBINED.replace("/a?b=1", "/a b c"), { request: "/a b c" });
  check(COMBINED.replace(" 1234 ", " - "), { body_bytes_sent: null });
});

Deno.test("common lines end after the bytes", () => {
  const line = COMBINED.replace(/ "-" "[^"]*"$/, "");
  const row = { http_referer: null, http_user_agent: null, layout: "common" } as const;
  check(line, row);
  check(line.replace(" 1234", " -"), { ...row, body_bytes_sent: null });
  for (const [format, text] of [["combined", line], ["common", COMBINED]] as const) {
    assert.equal(createLineParser(format)(text), "no_format");
  }
  assert.equal(createLineParser("auto")(`${line} `), "no_format");
});

Deno.test("combined lines that columns cannot rebuild keep their fields, not their layout", () => {
  check(`${COMBINED}\r`, { layout: null });
  check(`\0\0${COMBINED}`, { layout: null });
  check(COMBINED.replace(" - - ", " ident - "), { layout: null });
  check(COMBINED.replace(" 1234 ", " 01234 "), { layout: null });
  check(COMBINED.replace(" 200 ", " 000 "), { status: 0, layout: null });
  check(COMBINED.replace("+0000", "-0000"), { layout: null });
  check(`${COMBINED} 0.42`, { request_time_ms: 420, layout: null });
  check(`${COMBINED} "10.0.0.1"`, { layout: null });
  check(`${COMBINED} "10.0.0.1" 0.042`, { request_time_ms: 42, layout: null });
  check(`${COMBINED} 42`, { layout: null });
});

Deno.test("requests that are no HTTP stay whole, without method and version", () => {
  for (const request of ["-", "", "\\x16\\x03\\x01", "GET /", "/x HTTP/1.1", "G=T / HTTP/1.1"]) {
    const line = COMBINED.replace("GET /a?b=1 HTTP/1.1", request);
    check(line, { http_method: null, request, http_version: null, layout: null });
  }
});

Deno.test("zones move the instant and are kept", () => {
  const hourUs = 3_600_000_000n;
  check(COMBINED.replace("+0000", "-0730"), {
    ts: ROW.ts + hourUs * 15n / 2n,
    time_zone_min: -450,
  });
  check(COMBINED.replace("+0000", "+1400"), { ts: ROW.ts - hourUs * 14n, time_zone_min: 840 });
});

Deno.test("lines without a place, a time or a status are rejected with the reason", () => {
  const at = (time: string) => COMBINED.replace(TIME, time);
  for (
    const line of [
      at("32/Oct/2023:13:55:36 +0000"),
      at("31/Feb/2023:13:55:36 +0000"),
      at("29/Feb/2023:13:55:36 +0000"),
      at("10/oct/2023:13:55:36 +0000"),
      at("10/anF/2023:13:55:36 +0000"),
      at("10/Oct/2023:24:55:36 +0000"),
      at("10/Oct/2023:13:60:36 +0000"),
      at("10/Oct/2023:13:55:60 +0000"),
      at("10/Oct/2023:13:55:36 +2400"),
      at("10/Oct/0023:13:55:36 +0000"),
      at("10/Oct/2023 13:55:36 +0000"),
      at("yesterday"),
    ]
  ) check(line, "bad_time");
  check(at("29/Feb/2024:00:00:00 +0000"), { ts: 1_709_164_800_000_000n });
  check(COMBINED.replace(" 200 ", " 20 "), "bad_status");
  check(COMBINED.replace(" 200 ", " - "), "bad_status");
  for (
    const line of ["", " ", "hello", COMBINED.slice(0, -1), COMBINED.slice(0, 80), `${COMBINED}x`]
  ) {
    check(line, "no_format");
  }
  check(COMBINED.replace(" 1234 ", " 1k "), "no_format");
  check("[".repeat(1_000_000), "no_format");
});

Deno.test("JSON lines become rows; the canonical form rebuilds them", () => {
  check(JSON_LINE, { layout: "json" });
  check(JSON_LINE.replace(":1234", ':"1234"'), { layout: null });
  check(JSON_LINE.replace(":200", ':"200"'), { layout: null });
  check(JSON_LINE.replace(":200", ":2e2"), { layout: null });
  check(JSON_LINE.replace(":200", ":200.0"), { layout: null });
  check(JSON_LINE.replace(":1234", ":null"), { body_bytes_sent: null, layout: null });
  check(JSON_LINE.replace(":1234", ":-1"), { body_bytes_sent: null, layout: null });
  check(JSON_LINE.replace("}", ',"request_time":"0.042"}'), { request_time_ms: 42, layout: null });
  check(JSON_LINE.replace("curl", 'c\\"url'), { http_user_agent: 'c"url/8.5.0', layout: null });
  check(JSON_LINE.replace("curl", "\\ud800"), { http_user_agent: "\ufffd/8.5.0", layout: null });
  check(`${JSON_LINE}\r`, { layout: null });
  check(JSON_LINE.replace('"http_method":"GET",', "").replace("/a?b=1", "GET /a?b=1 HTTP/1.0"), {
    layout: null,
  });
  check(
    '{"msec":1696946136.5,"status":200,"request":"GET /a?b=1 HTTP/1.1","request_method":"GET",' +
      '"server_protocol":"HTTP/1.1","bytes_sent":"1234","remote_addr":"192.0.2.7",' +
      '"remote_user":"-","http_referer":"-","http_user_agent":"curl/8.5.0"}',
    { ts: ROW.ts + 500_000n, layout: null },
  );
});

Deno.test("JSON lines may write their time in any of the common ways", () => {
  const at = (time: string) => JSON_LINE.replace('"time_local":"2023-10-10T13:55:36"', time);
  const same = { layout: null };
  check(at('"time_local":"2023-10-10T13:55:36Z"'), same);
  check(at('"time_local":"2023-10-10 13:55:36"'), same);
  check(at('"time_iso8601":"2023-10-10T15:55:36+02:00"'), { ...same, time_zone_min: 120 });
  check(at('"time_local":"10/Oct/2023:08:55:36 -0500"'), { ...same, time_zone_min: -300 });
  check(at('"ts":1696946136'), same);
  check(at('"ts":1696946136000'), same);
  check(at('"msec":"1696946136.000"'), same);
  check(at('"time_local":"2023-10-10T13:55:36.123456789Z"'), { ...same, ts: ROW.ts + 123_456n });
  check(at('"time_local":"2023-10-10T13:55:36.000"'), same);
  for (const time of ['"time_local":"now"', '"ts":-1', '"ts":1e300', '"ts":true', '"x":1']) {
    check(at(time), "bad_time");
  }
});

Deno.test("broken JSON is rejected, and a set format refuses the other one", () => {
  check(JSON_LINE.slice(0, -1), "bad_json");
  check("[1]", "bad_json", "json");
  check("null", "bad_json", "json");
  check(COMBINED, "bad_json", "json");
  check(JSON_LINE, "no_format", "combined");
  check(JSON_LINE.replace(":200", ":1000"), "bad_status");
  check(JSON_LINE.replace('"status":200,', ""), "bad_status");
  check(`{"a":`.repeat(100_000), "bad_json");
});
