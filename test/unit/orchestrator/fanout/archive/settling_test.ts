import assert from "node:assert/strict";
import { cameBack } from "../../../../../orchestrator/fanout/archive/settling.ts";
import { Presence } from "../../../../../protocol/wire/messages.ts";
import type { Host } from "../../../../../orchestrator/fleet/fleet.ts";

const STARTED_MS = Date.now();

function host(changed: Partial<Host> = {}): Host {
  const presence = Presence.parse({
    ...{ host: "web-1", region: "eu", labels: {}, version: "0.1.0", boot: crypto.randomUUID() },
    ...{ plan_versions: [1], commands: ["archive"], streams: ["logs"], state: "offline" },
    lease_ms: 90_000,
  });
  const seenMs = STARTED_MS - 60_000;
  return { presence, state: "offline", seenMs, holdings: null, retiredMs: null, ...changed };
}

/** How often it looked for agents. */
async function looks(known: Host, agents: readonly (readonly string[])[]): Promise<number> {
  let count = 0;
  await cameBack({
    fleet: { list: () => [known] },
    region: "eu",
    startedMs: STARTED_MS,
    agents: () => agents[Math.min(count++, agents.length - 1)] ?? [],
  }, new AbortController().signal);
  return count;
}

Deno.test("an agent that was there before the start is waited for, and no other", async () => {
  assert.equal(await looks(host(), [[], [], ["web-1"]]), 3);
  assert.equal(await looks(host({ seenMs: STARTED_MS + 1 }), [[]]), 1, "it came back, and left");
  assert.equal(await looks(host({ seenMs: STARTED_MS - 3_600_000 }), [[]]), 1, "it left before");
  assert.equal(await looks(host({ seenMs: null }), [[]]), 1);
  assert.equal(await looks(host({ retiredMs: STARTED_MS - 1 }), [[]]), 1);
});

Deno.test("the asker's end is the end of the wait", async () => {
  const waiting = cameBack({
    fleet: { list: () => [host()] },
    region: "eu",
    startedMs: STARTED_MS,
    agents: () => [],
  }, AbortSignal.abort(new Error("gone")));
  await assert.rejects(waiting, { message: "gone" });
});
