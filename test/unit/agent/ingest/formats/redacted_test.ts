import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { createRebuilder } from "../../../../../agent/ingest/formats/rebuild.ts";
import { createLineReader } from "../../../../../agent/ingest/formats/redacted.ts";
import { createRedactor, REDACTABLE } from "../../../../../agent/rules/redact.ts";
import type { RedactRule } from "../../../../../agent/rules/redact.ts";

/** The line as it would be stored. */
function stored(line: string, ...rules: RedactRule[]): string {
  const read = createLineReader("auto", createRedactor(rules))(line);
  if (typeof read === "string") return read;
  return createRebuilder()(read.row) ?? read.line;
}

const address: RedactRule = { field: "remote_addr", by: "mask" };
const request: RedactRule = { field: "request", by: "mask" };
const TIME = "[22/Nov/2026:10:00:00 +0000]";
const line = (end = "", query = "") =>
  `10.0.0.1 - alice ${TIME} "GET /a${query} HTTP/1.1" 200 12 "-" "curl"${end}`;

Deno.test("the fields of a line that its columns rebuild are replaced", () => {
  assert.equal(stored(line(), address), line().replace("10.0.0.1", "***"));
  assert.equal(stored(line(" 0.001"), request), line(" 0.001").replace("/a", "***"));
});

Deno.test("of a line that is kept as text, only the value changes", () => {
  assert.equal(stored(line(' "x" 1'), address), line(' "x" 1').replace("10.0.0.1", "***"));
  const spaced = `{"remote_addr": "10.0.0.1", "time_local": "2026-11-22T10:00:00", "status": 200}`;
  assert.equal(stored(spaced, address), spaced.replace("10.0.0.1", "***"));
  const text = stored(line(' "10.0.0.1"'), address);
  assert.equal(text, line(' "10.0.0.1"').replaceAll("10.0.0.1", "***"));
});

Deno.test("a line in which the value may hide is made up of its columns", () => {
  const json = (rest: string) => `{"time_local":"2026-11-22T10:00:00","status":200,${rest}}`;
  const check = (text: string, secret: string, ...rules: RedactRule[]) => {
    const kept = stored(text, ...rules);
    assert.ok(!kept.includes(secret) && kept.includes("***"), kept);
  };
  check(json(String.raw`"remote_addr":"10.0.0.\u0031"`), "10.0.0", address);
  check(json(String.raw`"remote_addr":"\u0031.2","remote_addr":"1.2"`), '1.2"', address);
  check(json(`"request":"GET /secret HTTP/1.1","request_uri":"/other"`), "secret", request);
  // "1" stands in the time and the status too.
  check(line(' "x"').replace("alice", "1"), "- 1 [", { field: "remote_user", by: "mask" });
});

Deno.test("a pattern is applied before the line is read", () => {
  const secret: RedactRule = { pattern: "(?<=token=)[^& ]+", by: "mask" };
  assert.equal(stored(line("", "?token=abc"), secret), line("", "?token=***"));
  assert.equal(stored(line(), secret), line());
});

Deno.test("no value of a redacted field is in any line that is stored", () => {
  const value = fc.stringMatching(/^[a-z]{3}SECRET[a-z"\\ é]{0,3}$/);
  const extra = fc.constantFrom("", "\r", " 0.010", ' "more"', " 1.5 x");
  fc.assert(fc.property(value, extra, fc.constantFrom(...REDACTABLE), (secret, end, field) => {
    const fields: Record<string, unknown> = {
      remote_addr: "h",
      remote_user: "u",
      request: "GET / HTTP/1.1",
      http_referer: "r",
      http_user_agent: "a",
      [field]: secret,
    };
    const rule: RedactRule = { field, by: "mask" };
    const combined = `${fields.remote_addr} - ${fields.remote_user} ${TIME} "${fields.request}" ` +
      `200 1 "${fields.http_referer}" "${fields.http_user_agent}"${end}`;
    const json = JSON.stringify({ time_local: "2026-11-22T10:00:00", status: 200, ...fields });
    for (const text of [combined, json, json.replaceAll(",", ", ")]) {
      const read = createLineReader("auto", createRedactor([rule]))(text);
      if (typeof read === "string") continue; // rejects are another matter
      if (field === "remote_addr" && /[ ]/.test(secret) && text === combined) continue; // ends there
      const kept = createRebuilder()(read.row) ?? read.line;
      assert.ok(!kept.includes("SECRET"), kept);
    }
  }));
});
