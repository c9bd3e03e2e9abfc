import assert from "node:assert/strict";
import type { z } from "zod";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { policyDigest } from "../../../../agent/policy/policy_digest.ts";

function digest(policy: z.input<typeof Policy>): string {
  return policyDigest(Policy.parse(policy));
}

Deno.test("whatever changes what may be seen changes the digest, and nothing else does", () => {
  const changes: z.input<typeof Policy>[] = [
    {},
    { mask: { remote_addr: "prefix24" } },
    { mask: { remote_addr: "no_query" } },
    { mask: { remote_user: "prefix24" } },
    { columns: { logs: ["status"] } },
    { columns: { logs: ["status", "line"] } },
    { streams: ["logs"] },
    { range: "1h" },
    { rows: 10 },
    { bytes: "1MB" },
    { bytes_read: "1GB" },
  ];
  assert.equal(new Set(changes.map(digest)).size, changes.length);
  assert.equal(digest({ timeout: "5s", memory: "1GiB", running: 4, waiting: 2 }), digest({}));
  const written = (names: string[]) => ({
    streams: names,
    columns: Object.fromEntries(names.map((name) => [name, names])),
    mask: Object.fromEntries(names.map((name) => [name, "no_query" as const])),
  });
  assert.equal(digest(written(["a", "b"])), digest(written(["b", "a"])));
});
