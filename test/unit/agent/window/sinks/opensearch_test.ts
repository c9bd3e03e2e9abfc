/** The OpenSearch sink against a server that takes only what is exactly right. */
import assert from "node:assert/strict";
import type { WindowEvent } from "../../../../../agent/window/event.ts";
import { awsSigner } from "../../../../../agent/window/sinks/aws.ts";
import { openSearchSink } from "../../../../../agent/window/sinks/opensearch.ts";
import type { OpenSearchOptions } from "../../../../../agent/window/sinks/opensearch.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { OpenSearchServer } from "../../../../harness/sinks/opensearch_server.ts";
import { isSigned } from "../../../../harness/sinks/signed.ts";
import { NO_END, outgoing, POST } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

const OPEN: OpenSearchOptions["authorize"] = ({ headers }) => Promise.resolve({ ...headers });

function sinkTo(server: OpenSearchServer, options: Partial<OpenSearchOptions> = {}) {
  return openSearchSink({
    url: server.url,
    index: "shop",
    schema: "logvend",
    authorize: OPEN,
    post: POST,
    ...options,
  });
}

Deno.test("each kind of document is in the index of its day, its revision is the version", async () => {
  await using server = new OpenSearchServer();
  await sinkTo(server).send(
    [...outgoing(1), ...outgoing(1, 1, "row"), ...outgoing(1, 2, "place")],
    NO_END,
  );
  await sinkTo(server, { schema: "reference" }).send(
    [...outgoing(1), ...outgoing(1, 2, "place")],
    NO_END,
  );
  assert.deepEqual(server.wrong, []);
  assert.deepEqual([...server.indices].map(([name, documents]) => [name, [...documents.keys()]]), [
    ["shop-windows-2026.11.22", ["id-0", "id-2"]],
    ["shop-rows-2026.11.22", ["id-1"]],
    ["aggregated-stats-2026.11.22", ["id-0"]],
    ["aggregated-geoip-2026.11.22", ["id-2"]],
  ]);
});

Deno.test("an older revision changes nothing, a newer one takes its place", async () => {
  await using server = new OpenSearchServer();
  const [event] = outgoing(1);
  for (const revision of [2, 1, 2, 3]) {
    const sent = await sinkTo(server).send(
      [{ ...event!, revision, body: `{"r":${revision}}` }],
      NO_END,
    );
    assert.deepEqual([sent.rejected, sent.again], [[], []]);
  }
  assert.deepEqual(server.documents().map(({ document }) => document), [{
    version: 3,
    source: { r: 3 },
  }]);
});

Deno.test("of a bulk request each document is taken, put off or refused by itself", async () => {
  await using server = new OpenSearchServer({ poisoned: new Set(["id-4"]) });
  server.busyItems = 2;
  const { rejected, again } = await sinkTo(server).send(outgoing(6), NO_END);
  assert.deepEqual(again.map(({ id }) => id), ["id-0", "id-1"]);
  assert.deepEqual(rejected.map(({ event: { id }, reason }) => [id, reason]), [
    ["id-4", "400 mapper_parsing_exception: failed to parse field [count] of type [long]"],
  ]);
  assert.deepEqual(server.documents().map(({ id }) => id), ["id-2", "id-3", "id-5"]);
});

Deno.test("what is wrong with the cluster or an index is no document's fault, and is said", async () => {
  await using server = new OpenSearchServer();
  const check = async (status: number, type: string, isAtFault: boolean) => {
    const item = { index: { status, error: { type, reason: "so" } } };
    server.moods.push({ kind: "answer", status: 200, body: JSON.stringify({ items: [item] }) });
    const { rejected, again, why } = await sinkTo(server).send(outgoing(1), NO_END);
    const reason = `${status} ${type}: so`;
    assert.deepEqual(
      [rejected.map((one) => one.reason), again.length, why],
      isAtFault ? [[reason], 0, undefined] : [[], 1, reason],
    );
  };
  await check(400, "mapper_parsing_exception", true);
  await check(400, "strict_dynamic_mapping_exception", true);
  await check(400, "illegal_argument_exception", true);
  await check(413, "content_too_long", true);
  await check(403, "cluster_block_exception", false); // the disk is full: read only
  await check(400, "validation_exception", false); // no more shards in this cluster
  await check(400, "index_closed_exception", false);
  await check(404, "index_not_found_exception", false);
  await check(403, "security_exception", false);
  await check(503, "unavailable_shards_exception", false);
  await check(500, "exception", false);
});

Deno.test("whole requests that fail are nobody's fault, but for those that say so", async () => {
  await using server = new OpenSearchServer();
  const check = async (status: number, blames: boolean) => {
    server.moods.push({ kind: "answer", status, body: "no" });
    await assert.rejects(sinkTo(server).send(outgoing(1), NO_END), (error) => {
      assert.ok(error instanceof SinkError);
      return error.facts.blames === blames && error.message.endsWith(`answered ${status}: no`);
    });
  };
  await check(503, false);
  await check(429, false);
  await check(401, false);
  await check(413, true);
  server.moods.push({ kind: "answer", status: 200, body: '{"items":[]}' });
  await assert.rejects(
    sinkTo(server).send(outgoing(1), NO_END),
    /something else than a bulk request/,
  );
});

Deno.test("requests are signed for AWS as AWS checks it", async () => {
  const keys = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG" };
  for (const [name, value] of Object.entries(keys)) Deno.env.set(name, value);
  try {
    await using server = new OpenSearchServer({
      authorization: (request, body) =>
        isSigned(request, body, {
          secret: keys.AWS_SECRET_ACCESS_KEY,
          region: "eu-west-1",
          service: "es",
        }),
    });
    const authorize = awsSigner({ region: "eu-west-1", service: "es" });
    await sinkTo(server, { authorize }).send(outgoing(3), NO_END);
    assert.equal(server.documents().length, 3);
    const other = awsSigner({ region: "eu-west-2", service: "es" });
    await assert.rejects(
      sinkTo(server, { authorize: other }).send(outgoing(1), NO_END),
      /answered 401/,
    );
  } finally {
    for (const name of Object.keys(keys)) Deno.env.delete(name);
  }
});

Deno.test("after late rows, faults of every kind and restarts there is one document of each id, the truth", async () => {
  await using server = new OpenSearchServer();
  await holdsTheTruth({
    open: () => sinkTo(server),
    disturb: (round) => {
      if (round === 0) server.moods.push({ kind: "answer", status: 503 }, { kind: "reset" });
      if (round === 1) server.busyItems = 7;
      if (round === 2) server.moods.push({ kind: "reset after" }, { kind: "answer", status: 429 });
      if (round === 3) server.moods.push({ kind: "slow", ms: 1_200 });
      if (round === 4) server.moods.push({ kind: "answer", status: 413 });
      if (round === 5) server.moods.push({ kind: "answer", status: 401 }, { kind: "reset after" });
    },
    contents: () =>
      server.documents().map(({ document }) => document.source as unknown as WindowEvent),
  });
  assert.deepEqual(server.wrong, []);
});
