/** The Kinesis sink against kinesalite, an implementation of its API. */
import assert from "node:assert/strict";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import kinesalite from "kinesalite";
import type { SignRequest } from "../../../../../agent/window/sinks/aws.ts";
import { awsSigner } from "../../../../../agent/window/sinks/aws.ts";
import { kinesisSink } from "../../../../../agent/window/sinks/kinesis.ts";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { NO_END, outgoing, POST } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG" };

interface Kinesis extends AsyncDisposable {
  url: string;
  sign: SignRequest;
  call(action: string, body: unknown): Promise<Record<string, unknown>>;
  /** The data of every record, in the order of their sequence numbers. */
  records(): Promise<{ key: string; data: string }[]>;
}

/** A stream of two shards. */
async function kinesis(): Promise<Kinesis> {
  for (const [name, value] of Object.entries(KEYS)) Deno.env.set(name, value);
  const server: Server = kinesalite({ createStreamMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sign = awsSigner({ region: "eu-west-1", service: "kinesis" });
  const call = async (action: string, content: unknown) => {
    const body = JSON.stringify(content);
    const target = `Kinesis_20131202.${action}`;
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": target };
    const signed = await sign({ url: new URL(url), headers, body });
    const response = await fetch(url, { method: "POST", headers: signed, body });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text === "" ? {} : JSON.parse(text);
  };
  await call("CreateStream", { StreamName: "windows", ShardCount: 2 });
  const describe = async () =>
    (await call("DescribeStream", { StreamName: "windows" }))["StreamDescription"] as {
      StreamStatus: string;
      Shards: { ShardId: string }[];
    };
  await eventually(async () => (await describe()).StreamStatus === "ACTIVE");
  return {
    url,
    sign,
    call,
    records: async () => {
      const found: { key: string; data: string }[] = [];
      for (const { ShardId } of (await describe()).Shards) {
        const where = { StreamName: "windows", ShardId, ShardIteratorType: "TRIM_HORIZON" };
        const { ShardIterator } = await call("GetShardIterator", where);
        const { Records } = await call("GetRecords", { ShardIterator }) as {
          Records: { Data: string; PartitionKey: string }[];
        };
        for (const { Data, PartitionKey: key } of Records) {
          found.push({ key, data: new TextDecoder().decode(Uint8Array.fromBase64(Data)) });
        }
      }
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const name of Object.keys(KEYS)) Deno.env.delete(name);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

Deno.test("documents are records with their id as key, as many requests as they need", async () => {
  await using host = await kinesis();
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
  await using host = await kinesis();
  await using sink = kinesisSink({ url: host.url, stream: "other", sign: host.sign, post: POST });
  await assert.rejects(sink.send(outgoing(1), NO_END), (error) => {
    assert.ok(error instanceof SinkError && error.facts.blames === false);
    assert.match(error.message, /ResourceNotFoundException: Stream other/);
    return true;
  });
});

Deno.test("after late rows, faults, lost answers and restarts the newest of each id is the truth", async () => {
  await using host = await kinesis();
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
    disturb: (round) => {
      trouble = round % 2 === 0 ? "after" : "before";
    },
    contents: async () => (await host.records()).map(({ data }) => JSON.parse(data)),
  });
  assert.ok(copies > 1);
});
