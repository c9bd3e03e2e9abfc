/** archived_hosts.ts: what agents tell of their archives, and what is not known while they do not. */
import assert from "node:assert/strict";
import { ArchivedHosts } from "../../../../orchestrator/fleet/archived_hosts.ts";
import type { Host } from "../../../../orchestrator/fleet/fleet.ts";
import { messagesOf } from "../../../../protocol/wire/archived_hosts.ts";
import type { ArchivedHost } from "../../../../protocol/wire/archived_hosts.ts";
import { seal } from "../../../../protocol/wire/envelope.ts";
import { Presence } from "../../../../protocol/wire/messages.ts";

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();

function hostOf(host: string, commands: string[], state: Host["state"] = "online"): Host {
  const presence = Presence.parse({
    ...{ host, region: "eu", labels: {}, version: "1", plan_versions: [1], commands },
    ...{ streams: ["logs"], state, boot: crypto.randomUUID(), lease_ms: 20_000 },
  });
  return { presence, state, seenMs: 0, holdings: null, retiredMs: null };
}

const TELLING = ["archive", "archived_hosts"];

/** A fleet, and whom it asks; a moment passes with every look. */
class Scene implements Disposable {
  readonly fleet = new Map<string, Host>();
  readonly asked: { agent: string; request: string }[] = [];
  readonly known: ArchivedHosts;
  isConnected = true;
  nowMs = HOUR_MS;

  constructor() {
    this.known = new ArchivedHosts({
      fleet: { each: () => this.fleet.values(), get: (host) => this.fleet.get(host) },
      ask: (agent, request) => this.asked.push({ agent, request }),
      isConnected: () => this.isConnected,
      now: () => this.nowMs,
    });
  }

  come(host: string, commands = TELLING) {
    this.fleet.set(host, hostOf(host, commands));
    this.known.hostCame(host);
  }

  /** The agent that was asked last, or another one, says so. */
  tell(body: unknown, agent = this.asked.at(-1)?.agent ?? "") {
    this.known.receive(agent, seal({ type: "archived", body, issuedAtMs: 0 }));
  }

  answer(hosts: readonly ArchivedHost[]) {
    messagesOf(this.request, hosts).toReversed().forEach((message) => this.tell(message));
  }

  refuse(problem: string) {
    this.tell({ request: this.request, hosts: [], total: 0, problem });
  }

  get request(): string {
    return this.asked.at(-1)?.request ?? "";
  }

  get names(): string[] {
    return [...this.known.all()].map(({ region, host: [host] }) => `${region}/${host}`);
  }

  reasons(since: string | null = null): string[] {
    return this.known.untold(since).map(({ region, reason }) => `${region}: ${reason}`);
  }

  /** What is looked at every second. */
  look(afterMs: number) {
    this.nowMs += afterMs;
    this.known.look();
  }

  [Symbol.dispose]() {
    this.known[Symbol.dispose]();
  }
}

Deno.test("an agent is asked as soon as it is there; its answer counts when all of it has come", async () => {
  using scene = new Scene();
  assert.deepEqual(scene.reasons(), []); // nobody is known to have an archive
  scene.come("web-1");
  assert.deepEqual(scene.asked.map(({ agent }) => agent), ["web-1"]);
  assert.deepEqual(scene.reasons(), ["eu: web-1 is still looking"]);
  let isTold = false;
  const told = scene.known.tried(["eu"], signal).then(() => isTold = true);
  const many = Array.from({ length: 1_200 }, (_, i): ArchivedHost => [`old-${i}`, "logs", 1, 2]);
  const [first, ...others] = messagesOf(scene.request, many);
  scene.tell(first);
  scene.tell(first); // twice, as MQTT may
  scene.tell({ ...others[0], request: crypto.randomUUID() }); // of another question
  await Promise.resolve();
  assert.deepEqual([isTold, scene.names.length, scene.reasons().length], [false, 0, 1]);
  others.forEach((message) => scene.tell(message));
  await told;
  assert.deepEqual([scene.names.length, scene.reasons()], [1_200, []]);
  scene.come("web-2");
  assert.equal(scene.asked.length, 1);
});

Deno.test("who cannot say is followed by the next one, and all of them are asked again later", async () => {
  using scene = new Scene();
  scene.come("web-1");
  scene.come("web-2");
  scene.refuse("S3 503");
  assert.deepEqual(scene.asked.map(({ agent }) => agent), ["web-1", "web-2"]);
  scene.tell("no message");
  await scene.known.tried(["eu"], signal); // nobody is waited for any more
  assert.equal(scene.reasons().length, 1);
  assert.match(scene.reasons()[0] ?? "", /^eu: web-2: .*list of archived hosts/);
  scene.look(14_000);
  assert.equal(scene.asked.length, 2);
  scene.look(1_000);
  await scene.known.tried(["eu"], signal);
  scene.answer([["old-1", "logs", 1, 2]]);
  assert.deepEqual([scene.names, scene.reasons()], [["eu/old-1"], []]);

  scene.look(HOUR_MS);
  assert.equal(scene.asked.length, 4);
  scene.look(60_000); // it has not answered
  scene.refuse("S3 503");
  assert.deepEqual([scene.names, scene.reasons()], [["eu/old-1"], []]); // as it was an hour ago
  scene.look(60_000);
  scene.answer([]);
  assert.deepEqual(scene.names, []); // it was erased
});

Deno.test("an agent that went away is not waited for; nor one that is older, or a region without any", async () => {
  using scene = new Scene();
  scene.come("web-1", ["archive"]);
  assert.deepEqual(scene.reasons(), [
    "eu: agents of eu are of a version that cannot say it: upgrade one",
  ]);
  await scene.known.tried(["eu"], signal);
  scene.come("web-2");
  const told = scene.known.tried(["eu"], signal);
  for (const host of ["web-1", "web-2"]) scene.fleet.set(host, hostOf(host, TELLING, "offline"));
  scene.look(1_000);
  await told;
  assert.deepEqual(scene.reasons(), ["eu: web-2: went away"]);
  scene.fleet.set("web-2", { ...hostOf("web-2", TELLING, "offline"), retiredMs: 1 });
  scene.fleet.delete("web-1");
  assert.deepEqual(scene.reasons(), []); // nobody is expected there
});

Deno.test("who lives while the broker is there is heard; after a loss of it all is asked anew", () => {
  using scene = new Scene();
  const since = new Date(scene.nowMs).toISOString();
  scene.come("web-1");
  assert.deepEqual(scene.reasons(since), []);
  assert.equal(scene.reasons(new Date(scene.nowMs - 1).toISOString()).length, 1);
  scene.answer([["old-1", "logs", 1, 2]]);
  scene.isConnected = false;
  scene.known.brokerLost();
  scene.look(5_000);
  assert.equal(scene.reasons(since).length, 1);
  scene.isConnected = true;
  scene.look(5_000);
  assert.equal(scene.asked.length, 2);
  assert.equal(scene.reasons(since).length, 1);
  assert.deepEqual(scene.names, ["eu/old-1"]); // it is in the archive still
  scene.answer([["old-1", "logs", 1, 2], ["old-2", "logs", 1, 2]]);
  assert.deepEqual([scene.names, scene.reasons(since)], [["eu/old-1", "eu/old-2"], []]);
});

Deno.test("for an archive that could not be looked at nobody waits again after a loss of the broker", async () => {
  using scene = new Scene();
  scene.come("web-1");
  scene.refuse("S3 503");
  scene.known.brokerLost();
  scene.look(1_000);
  assert.equal(scene.asked.length, 2);
  await scene.known.tried(["eu"], signal);
  assert.deepEqual(scene.reasons(), ["eu: web-1 is still looking"]);
});
