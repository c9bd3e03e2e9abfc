/** fanout/collector.ts: a large fleet is asked in waves, as brokers drop what they cannot deliver. */
import assert from "node:assert/strict";
import { Collector } from "../../../../orchestrator/fanout/collector.ts";
import { LogvendError } from "../../../../protocol/errors.ts";

const ACK_MS = 200;

function collectorOf(hosts: readonly string[], ask: (host: string) => void): Collector {
  return new Collector({
    hosts,
    folder: () => "",
    timeoutMs: 60_000,
    ackTimeoutMs: ACK_MS,
    bytesMax: 1e6,
    overflow: () => new LogvendError("too_many_rows", "more"),
    ask,
    acknowledge: () => {},
  });
}

const HOSTS = Array.from({ length: 1_000 }, (_, i) => `host-${i}`);

Deno.test("hosts are asked as others acknowledge, each once, never more than 400 ahead", () => {
  const asked: string[] = [];
  using collector = collectorOf(HOSTS, (host) => asked.push(host));
  collector.ask();
  assert.equal(asked.length, 400);
  for (let taken = 0; taken < HOSTS.length; taken++) {
    assert.ok(asked.length - taken <= 400);
    const [host = "nobody"] = asked.slice(taken);
    collector.receiveAck(host, { request: crypto.randomUUID(), accepted: true });
    collector.receiveAck(host, { request: crypto.randomUUID(), accepted: true }); // twice
  }
  assert.deepEqual(asked, HOSTS);
});

Deno.test("silent hosts hold the others up for the time of an acknowledgement; those never asked have nothing to end", async () => {
  const asked: string[] = [];
  using collector = collectorOf(HOSTS, (host) => asked.push(host));
  collector.ask();
  collector.hostGone("host-999");
  assert.deepEqual(collector.unfinished(), HOSTS.slice(0, 400));
  const silent = new Set<string>();
  for await (const batch of collector.batches()) {
    for (const outcome of batch) {
      if (outcome.kind === "missing" && outcome.why === "no_ack") silent.add(outcome.host);
    }
    if (silent.size === 400) break;
  }
  assert.deepEqual([...silent], HOSTS.slice(0, 400));
  assert.ok(asked.length > 400);
});

Deno.test("what hosts said in time counts, though this process was held up and reads it late", async () => {
  using collector = collectorOf(["web-1", "web-2"], () => {});
  collector.ask();
  // Both are due when the process goes on, and the collector's own timer comes first.
  const ack = { request: crypto.randomUUID(), accepted: true };
  setTimeout(() => collector.receiveAck("web-1", ack), ACK_MS + 20);
  const untilMs = performance.now() + 3 * ACK_MS;
  while (performance.now() < untilMs);
  for await (const [outcome, ...more] of collector.batches()) {
    assert.ok(outcome?.kind === "missing" && more.length === 0);
    assert.deepEqual([outcome.host, outcome.why], ["web-2", "no_ack"]);
    break;
  }
  assert.deepEqual(collector.unfinished(), ["web-1", "web-2"]); // one is at work, one may be
});

Deno.test("a broker that is lost between two waves leaves the others missing", async () => {
  let left = 450;
  using collector = collectorOf(HOSTS, () => {
    if (left-- === 0) throw new LogvendError("unavailable", "no broker");
  });
  collector.ask();
  for (const host of HOSTS.slice(0, 200)) {
    collector.receiveAck(host, { request: crypto.randomUUID(), accepted: true });
  }
  const { value } = await collector.batches().next();
  assert.equal(value?.length, HOSTS.length);
  assert.equal(collector.lost?.message, "no broker");
});
