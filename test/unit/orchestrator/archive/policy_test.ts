import assert from "node:assert/strict";
import { agentPolicy } from "../../../../orchestrator/archive/policy.ts";
import { withoutRows } from "../../../../protocol/chunk/chunk_id.ts";
import { chunkPath } from "../../../../protocol/chunk/chunk_path.ts";

const CHUNK = "0123456789abcdef";
const LESS = withoutRows(CHUNK, { rows: 3, digest: 7n });

/** As IAM does: `*` is any text, slashes too; `?` is any one character. */
function covers(pattern: string, resource: string): boolean {
  const parts = pattern.split(/([*?])/).map((part) =>
    part === "*" ? ".*" : part === "?" ? "." : RegExp.escape(part)
  );
  return new RegExp(`^${parts.join("")}$`, "s").test(resource);
}

/** Whether an agent of a host may store an object. */
function mayPut(host: string | null, key: string): boolean {
  const request = { bucket: "acme", prefix: "logs", region: "eu", host };
  return agentPolicy(request).Statement.some(({ Action, Resource }) =>
    [Action].flat().includes("s3:PutObject") &&
    [Resource].flat().some((pattern) => covers(pattern, `arn:aws:s3:::acme/logs/${key}`))
  );
}

const keyOf = (host: string, chunk: string, region = "eu") =>
  chunkPath({ stream: "logs", region, host, hour: "2026-11-22T19", chunk });

Deno.test("an agent's rights are for chunks of its own host: none of a host whose name goes on with a dot", () => {
  for (const chunk of [CHUNK, LESS]) {
    assert.ok(mayPut("web-1", keyOf("web-1", chunk)));
    assert.ok(mayPut(null, keyOf("web-2", chunk)), "of any host, where none was named");
    for (const host of ["web-2", "web-10", "web-1.example", `web-1.${CHUNK}`, "web-1.a_b.c"]) {
      assert.equal(mayPut("web-1", keyOf(host, chunk)), false, host);
    }
    for (let length = 1; length < 60; length++) {
      const host = `web-1.${"_".repeat(length)}`;
      assert.equal(mayPut("web-1", keyOf(host, chunk)), false, host);
    }
    assert.equal(mayPut("web-1", keyOf("web-1", chunk, "us")), false);
  }
  const entry = (host: string) =>
    `catalog/entries/region=eu/stream=logs/date=2026-11-22/19.${host}.${CHUNK}.parquet`;
  assert.ok(mayPut("web-1", entry("web-1")));
  for (const host of ["web-2", "web-1.example", "x.web-1"]) {
    assert.equal(mayPut("web-1", entry(host)), false, host);
  }
});

Deno.test("an agent reads the catalog of its region: none of a region whose name begins alike", () => {
  const mayGet = (key: string) =>
    agentPolicy({ bucket: "acme", prefix: "logs", region: "eu", host: null }).Statement.some((
      { Action, Resource },
    ) =>
      [Action].flat().includes("s3:GetObject") &&
      [Resource].flat().some((pattern) => covers(pattern, `arn:aws:s3:::acme/logs/${key}`))
    );
  for (const kind of ["manifests", "entries", "changed"]) {
    assert.ok(mayGet(`catalog/${kind}/region=eu/x`), kind);
    assert.equal(mayGet(`catalog/${kind}/region=eu-west-1/x`), false, kind);
  }
  assert.ok(mayGet("catalog/leases/region=eu.json"));
  assert.equal(mayGet("catalog/leases/region=eu-west-1.json"), false);
});

Deno.test("a star in a prefix is itself to IAM: no other prefix is meant", () => {
  const request = { bucket: "acme", prefix: "a*b", region: "eu", host: "web-1" };
  const text = JSON.stringify(agentPolicy(request));
  assert.match(text, /acme\/a\$\{\*\}b\/stream=\*/);
  assert.doesNotMatch(text, /a\*b/);
});
