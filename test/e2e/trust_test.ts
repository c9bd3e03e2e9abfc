/** An agent trusts pinned keys alone: requests put straight onto the broker, past any orchestrator. */
import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import { sha256Hex } from "../../protocol/sha256.ts";
import type { QueryClaims } from "../../protocol/signing/claims.ts";
import { open, parseBody, seal } from "../../protocol/wire/envelope.ts";
import { QueryAck } from "../../protocol/wire/messages.ts";
import { newOperatorKey, readOperatorKey, signClaims } from "../../protocol/signing/signature.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import { PLAN_VERSION } from "../../queries/plan/planner.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { MOSQUITTO_IS_MISSING } from "../harness/mosquitto.ts";

const HOST = "web-1";
const SQL = "SELECT count(*) AS n FROM logs";
const MINUTE_MS = 60_000;
const topics = agentTopics("logvend", HOST);

Deno.test({
  name:
    "an agent answers signed requests, and refuses unsigned, altered, expired and replayed ones",
  ignore: MOSQUITTO_IS_MISSING,
  fn: async (t) => {
    await using fleet = await TestFleet.start({ hosts: { [HOST]: "eu" }, broker: "mosquitto" });
    const client = await connectAsync(fleet.brokerUrl);
    try {
      await client.subscribeAsync([topics.ack, topics.result("test", "+")]);
      await refusals(t, fleet, client);
    } finally {
      await client.endAsync(true);
    }
  },
});

async function refusals(t: Deno.TestContext, fleet: TestFleet, client: MqttClient) {
  const key = await readOperatorKey(fleet.pem);
  const claims = (changes: Partial<QueryClaims> = {}): QueryClaims => ({
    kind: "query",
    id: crypto.randomUUID(),
    sql_sha256: sha256Hex(SQL),
    selector: "",
    range: { since: null, until: null, implied: false },
    now: new Date().toISOString(),
    limits: { timeout_ms: 10_000, rows_max: 1_000, bytes_max: 1_000_000 },
    issued_at_ms: Date.now(),
    expires_at_ms: Date.now() + MINUTE_MS,
    ...changes,
  });
  const signed = async (changes: Partial<QueryClaims> = {}) => {
    const made = claims(changes);
    return { request: made.id, token: await signClaims(made, key), sql: SQL };
  };
  const check = (name: string, asked: () => Promise<Asked>, refused: RegExp | null) =>
    t.step(name, async () => {
      const ack = await ask(client, await asked());
      assert.equal(ack.accepted, refused === null, JSON.stringify(ack));
      if (refused === null) return;
      assert.equal(ack.refused?.code, "not_permitted");
      assert.match(ack.refused?.message ?? "", refused);
    });

  const ended = new Set<string>();
  client.on("message", (topic) => ended.add(topic.split("/").at(-1) ?? ""));
  const answered = (request: string) => eventually(() => ended.has(request));

  const good = await signed();
  await check("signed by the pinned key", () => Promise.resolve(good), null);
  await answered(good.request);
  await check("sent again", () => Promise.resolve(good), /seen before/);
  await check(
    "unsigned",
    () => Promise.resolve({ request: crypto.randomUUID(), token: "", sql: SQL }),
    /not signed/,
  );
  await check("signed by a stranger", async () => {
    const stranger = await readOperatorKey((await newOperatorKey()).pem);
    const made = claims();
    return { request: made.id, token: await signClaims(made, stranger), sql: SQL };
  }, /not pinned/);
  await check(
    "other SQL",
    async () => ({ ...await signed(), sql: "SELECT line FROM logs" }),
    /not the one that was signed/,
  );
  await check("altered claims", async () => {
    const { token, ...asked } = await signed();
    const [header, , signature] = token.split(".");
    const limits = { timeout_ms: 10_000, rows_max: 1_000_000, bytes_max: 1_000_000 };
    const wider = claims({ id: asked.request, limits });
    const payload = new TextEncoder().encode(JSON.stringify(wider))
      .toBase64({ alphabet: "base64url", omitPadding: true });
    return { ...asked, token: `${header}.${payload}.${signature}` };
  }, /signature does not match/);
  await check(
    "another id than signed",
    async () => ({ ...await signed(), request: crypto.randomUUID() }),
    /another request/,
  );
  await check(
    "expired",
    () =>
      signed({ issued_at_ms: Date.now() - 2 * MINUTE_MS, expires_at_ms: Date.now() - MINUTE_MS }),
    /expired/,
  );
  await check("signed in the future", () =>
    signed({
      issued_at_ms: Date.now() + 6 * MINUTE_MS,
      expires_at_ms: Date.now() + 7 * MINUTE_MS,
    }), /in the future/);
  await check("meant for other hosts", () => signed({ selector: "host = web-2" }), /select/);
  await t.step("what is no message at all is ignored, and the next request answered", async () => {
    await client.publishAsync(topics.command, "{ no json", { qos: 1 });
    await client.publishAsync(topics.command, new Uint8Array(200_000) as never, { qos: 1 });
    const ack = await ask(client, await signed());
    assert.equal(ack.accepted, true);
  });
}

interface Asked {
  request: string;
  token: string;
  sql: string;
}

/** Publishes a query command and waits for its acknowledgement. */
async function ask(client: MqttClient, { request, token, sql }: Asked): Promise<QueryAck> {
  const acked = new Promise<QueryAck>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no acknowledgement")), 180_000);
    const receive = (topic: string, payload: Uint8Array) => {
      if (topic !== topics.ack) return;
      const ack = parseBody(QueryAck, open(payload).body, "ack");
      if (ack.request !== request) return;
      clearTimeout(timer);
      client.off("message", receive);
      resolve(ack);
    };
    client.on("message", receive);
  });
  const body = { request, orchestrator: "test", sql, token, plan_version: PLAN_VERSION };
  const payload = seal({ type: "query", body, issuedAtMs: Date.now() });
  await client.publishAsync(topics.command, payload as never, { qos: 1 });
  return await acked;
}
