/** A host's side of tails: who may, what is said, and that they end without an asker. */
import assert from "node:assert/strict";
import { Tails } from "../../../../agent/link/tails.ts";
import type { TailsOptions } from "../../../../agent/link/tails.ts";
import type { LiveReader, LiveRequest } from "../../../../agent/live/live_tail.ts";
import { signTail } from "../../../../orchestrator/access/sign.ts";
import { MESSAGE_BYTES_MAX, seal } from "../../../../protocol/wire/envelope.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import type { TailMessage } from "../../../../protocol/wire/messages.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import { eventually } from "../../../harness/eventually.ts";

const key = await readOperatorKey((await newOperatorKey()).pem);

/** A host that says what it would send. */
function host(different: Partial<TailsOptions> = {}) {
  const said: TailMessage[] = [];
  const opened: { request: LiveRequest; reader: LiveReader }[] = [];
  const seen = new Set<string>();
  const hearers: (() => void)[] = [];
  let closed = 0;
  const tails = new Tails({
    labels: { host: "web-1" },
    trust: [key.publicKey],
    open: (request, reader) => {
      opened.push({ request, reader });
      return Promise.resolve({
        [Symbol.asyncDispose]: () => Promise.resolve(void closed++),
      });
    },
    isKnown: (id) => seen.has(id),
    remember: (id) => void seen.add(id),
    send: (_, message) => {
      said.push(message);
      for (const hear of hearers.splice(0)) hear();
      return true;
    },
    now: Date.now,
    ...different,
  });
  /** Begins a tail; resolves as soon as that is said, before any time can have passed. */
  const begun = async (asked: Awaited<ReturnType<typeof command>>) => {
    const heard = new Promise<void>((resolve) => hearers.push(resolve));
    const ended = tails.start(asked);
    await heard;
    assert.equal(said.at(-1)?.end, undefined);
    return { ended };
  };
  return { tails, said, opened, begun, closed: () => closed };
}

async function command(different: { selector?: string; condition?: string; rate?: number } = {}) {
  const { selector = "", condition = "status = 500", rate = 50 } = different;
  const nowMs = Date.now();
  const signed = { condition: "status = 500", stream: "logs", selector, rate, key, nowMs };
  const token = await signTail(signed);
  const payload = Uint8Array.fromBase64(token.split(".")[1] ?? "", { alphabet: "base64url" });
  const { id } = JSON.parse(new TextDecoder().decode(payload));
  return { request: id, orchestrator: "o-1", condition, token, rate: 20 };
}

Deno.test("a signed tail begins once, sends what comes, and ends when it is cancelled", async () => {
  const { tails, said, opened, closed } = host();
  const asked = await command();
  const done = tails.start(asked);
  await eventually(() => said.length === 1);
  await tails.start(asked); // as MQTT may deliver it again, and who lost sight of this host
  assert.deepEqual(opened[0]?.request, { stream: "logs", condition: "status = 500", rate: 20 });
  const line = { ts_us: 1, line: "é".repeat(4_096) };
  opened[0]?.reader.tell({ lines: Array(40).fill(line), leftOut: 3, unchecked: 4 });
  opened[0]?.reader.tell({ lines: [], leftOut: 1, unchecked: 0 });
  tails.cancel(asked.request);
  opened[0]?.reader.tell({ lines: [line], leftOut: 0, unchecked: 0 });
  await done;
  assert.deepEqual(
    said.map(({ seq, left_out, unchecked, end }) => [seq, left_out, unchecked, end?.code]),
    [
      [0, 0, 0, undefined],
      [1, 0, 0, undefined],
      [2, 3, 4, undefined],
      [3, 3, 4, undefined],
      [4, 3, 4, undefined],
      [5, 4, 4, undefined],
      [6, 4, 4, "cancelled"],
    ],
  );
  assert.equal(said.flatMap(({ lines }) => lines).length, 40);
  for (const body of said) {
    assert.ok(seal({ type: "tail", body, issuedAtMs: 0 }).length <= MESSAGE_BYTES_MAX);
  }
  assert.equal(closed(), 1);
  await tails.start(asked);
  assert.equal(said.at(-1)?.end?.message, "seen before");
});

Deno.test("what was not signed for this host, or otherwise, is refused", async () => {
  const check = async (asked: Awaited<ReturnType<typeof command>>, message: RegExp) => {
    const { tails, said, opened } = host();
    await tails.start(asked);
    assert.deepEqual(said.map(({ seq, end }) => [seq, end?.code]), [[0, "not_permitted"]]);
    assert.match(said[0]?.end?.message ?? "", message);
    assert.deepEqual(opened, []);
  };
  await check(await command({ selector: "host = web-2" }), /does not select this host/);
  await check(await command({ condition: "true" }), /not the one that was signed/);
  const { request } = await command();
  await check({ ...await command(), request }, /another request/);
});

Deno.test("a tail lives while its asker says so, and ends when the agent does", async () => {
  const { tails, said, begun, closed } = host({ leaseMs: 100 });
  const asked = await command();
  const { ended } = await begun(asked);
  let kept = 0;
  const keeping = setInterval(() => { // for twice the lease
    tails.keep(asked.request);
    if (++kept === 10) clearInterval(keeping);
  }, 20);
  await ended;
  assert.ok(kept >= 10, `${kept} times`);
  assert.equal(said.at(-1)?.end?.message, "The asker is silent");
  assert.equal(closed(), 1);
  const again = await begun(await command());
  tails.stop(new LogvendError("unavailable", "The agent is stopping"));
  await again.ended;
  assert.equal(said.at(-1)?.end?.code, "unavailable");
});

Deno.test("a tail is joined for as long as it may last, and again when it was not cancelled", async () => {
  let nowMs = Date.now();
  const { tails, said, begun } = host({ leaseMs: 50, now: () => nowMs });
  const asked = await command();
  nowMs += 11 * 3_600_000; // the signature has expired
  await tails.start(asked);
  assert.equal(said.at(-1)?.end?.message, "The asker is silent");
  const again = await begun(asked);
  tails.cancel(asked.request);
  await again.ended;
  nowMs += 3_600_000 + 60_000; // whoever signed may have looked at the clock later
  await tails.start(asked);
  assert.match(said.at(-1)?.end?.message ?? "", /^expired/);
});

Deno.test("lines that no broker takes are counted, and said when there is one", async () => {
  const said: TailMessage[] = [];
  let isThere = true;
  const { tails, opened } = host({ send: (_, message) => isThere && said.push(message) > 0 });
  const asked = await command();
  const done = tails.start(asked);
  await eventually(() => said.length === 1);
  isThere = false;
  opened[0]?.reader.tell({ lines: [{ ts_us: 1, line: "lost" }], leftOut: 0, unchecked: 0 });
  isThere = true;
  tails.cancel(asked.request);
  await done;
  assert.deepEqual(said.at(-1)?.left_out, 1);
});
