import assert from "node:assert/strict";
import { scopeFilter } from "../../../../../agent/archive/queries/scope.ts";
import type { ArchiveScope } from "../../../../../agent/store/query_archive.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";

const SELF = { host: "web-1", region: "eu", labels: { service: "api" } };
const NEED = { columns: [], values: {}, countsOnly: false };

function key(different: Partial<Parameters<typeof chunkPath>[0]> = {}): string {
  const place = { stream: "logs", region: "eu", host: "web-2", hour: "2026-11-22T19" };
  return chunkPath({ ...place, chunk: "0123456789abcdef", ...different });
}

function check(scope: Partial<ArchiveScope>, path: string, expected: boolean) {
  const whole = { since: null, until: null, hosts: null, regions: null, selector: "" };
  const filter = scopeFilter({ ...whole, needs: { logs: NEED }, ...scope }, SELF);
  assert.equal(filter(path) !== null, expected, `${JSON.stringify(scope)} ${path}`);
}

Deno.test("chunks are of a scope by what was signed: hosts, regions, tables and time", () => {
  check({}, key(), true);
  check({}, key({ stream: "other" }), false);
  check({}, "stream=logs/region=eu/../../etc/passwd", false);
  check({ selector: "host = web-2" }, key(), true);
  check({ selector: "host = web-2" }, key({ host: "web-3" }), false);
  check({ selector: "region = us" }, key(), false);
  check({ selector: "not region = us" }, key(), true);
  check({ hosts: ["web-3"] }, key(), false);
  check({ regions: ["us"] }, key(), false);
  check({ since: "2026-11-22T19:59:00Z" }, key(), true);
  check({ since: "2026-11-22T20:00:00Z" }, key(), false);
  check({ until: "2026-11-22T19:00:00Z" }, key(), false);
  check({ until: "2026-11-22T19:00:01Z" }, key(), true);
});

Deno.test("of other hosts no label is known: what depends on it is not read", () => {
  check({ selector: "service = api" }, key(), false);
  check({ selector: "service != web" }, key(), false);
  check({ selector: "service = api or host = web-2" }, key(), true);
  check({ selector: "service = api" }, key({ host: "web-1" }), true);
  check({ selector: "service = web" }, key({ host: "web-1" }), false);
  check({ selector: "service = api" }, key({ host: "web-1", region: "us" }), false);
});
