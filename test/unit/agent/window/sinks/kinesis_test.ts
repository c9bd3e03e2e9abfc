/** The Kinesis sink against kinesalite, an implementation of its API. */
import assert from "node:assert/strict";
import { kinesisSink } from "../../../../../agent/window/sinks/kinesis.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { startKinesis } from "../../../../harness/sinks/kinesis_server.ts";
import { NO_END, outgoing, POST } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

Deno.test("documents are records with their id as key, as many requests as they need", async () => {
  await using host = await startKinesis();
  await using sink = kinesisSink({ url: host.url, stream: "windows", sign: host.sign, post: POST });
  const events = outgoing(600);
  const long = { ...outgoing(1)[0]!, id: "long", body: "x".repeat(1_100_000) };
  const { rejected, again } = await sink.send([...events, long], NO_END);
  assert.deepEqual([rejected.map(({ event }) => event.id), again], [["long"], []]);
  const records = await host.records();
  assert.deepEqual(
    new Map(records.map(({ key, data }) => [key, data])),
    new Map(events.map(({ id, body }) => [id, body])),
  );
});

Deno.test("a stream that is not there is nobody's fault but the configuration's", async () => {
  await using host = await startKinesis();
  await using sink = kinesisSink({ url: host.url, stream: "other", sign: host.sign, post: POST });
  await assert.rejects(sink.send(outgoing(1), NO_END), (error) => {
    assert.ok(error instanceof SinkError && error.facts.blames === false);
    assert.match(error.message, /ResourceNotFoundException: Stream other/);
    return true;
  });
});

Deno.test("after late rows, faults, lost answers and restarts the newest of each id is the truth", async () => {
  await using host = await startKinesis();
  let trouble: "none" | "before" | "after" = "none";
  const open = () => {
    const sink = kinesisSink({ url: host.url, stream: "windows", sign: host.sign, post: POST });
    return {
      send: async (...[events, signal]: Parameters<typeof sink.send>) => {
        const kind = trouble;
        trouble = "none";
        if (kind === "before") throw new Error("reset");
        const sent = await sink.send(events, signal);
        if (kind === "after") throw new Error("the answer was lost");
        return sent;
      },
      [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
    };
  };
  const copies = await holdsTheTruth({
    open,
    disturb: async (round) => {
      await eventually(() => trouble === "none"); // of the round before: it has happened
      trouble = round % 2 === 0 ? "after" : "before";
    },
    contents: async () => (await host.records()).map(({ data }) => JSON.parse(data)),
  });
  assert.ok(copies > 1);
});
