/** Names: what may stand in topics, paths and SQL. */
import assert from "node:assert/strict";
import type { z } from "zod";
import { HostName, Labels, StreamName } from "../../../protocol/names.ts";

function check(schema: z.ZodType, value: unknown, expected: boolean) {
  assert.equal(schema.safeParse(value).success, expected, JSON.stringify(value));
}

Deno.test("a host name is one level of a topic and of a path", () => {
  for (const name of ["web-1", "ip-10-0-0-1.eu.example", "A_1", "a".repeat(128)]) {
    check(HostName, name, true);
  }
  for (const name of ["", "-a", ".", "..", "a/b", "a+", "a#", "a=b", "a b", "é", "a".repeat(129)]) {
    check(HostName, name, false);
  }
});

Deno.test("a stream name is an SQL identifier that needs no quotes", () => {
  for (const name of ["logs", "api_2"]) check(StreamName, name, true);
  for (const name of ["", "Logs", "2logs", "a-b", "a b", "a".repeat(64)]) {
    check(StreamName, name, false);
  }
});

Deno.test("labels are bounded texts under plain keys", () => {
  check(Labels, { service: "web-server", "owner.team": "anything at all / here" }, true);
  check(Labels, { "a b": "x" }, false);
  check(Labels, { a: 1 }, false);
  check(Labels, { a: "x".repeat(129) }, false);
});
