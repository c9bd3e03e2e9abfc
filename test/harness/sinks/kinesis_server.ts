/** A Kinesis for one test: kinesalite, which implements the API, with one stream of two shards. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import kinesalite from "kinesalite";
import type { SignRequest } from "../../../agent/window/sinks/aws.ts";
import { awsSigner } from "../../../agent/window/sinks/aws.ts";
import { eventually } from "../eventually.ts";

export const KINESIS_REGION = "eu-west-1";
export const KINESIS_STREAM = "windows";

/** Of whoever sends to it, in its environment. */
export const AWS_KEYS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG",
};

/** The most that one answer has. */
const RECORDS_MAX = 10_000;

export interface KinesisServer extends AsyncDisposable {
  port: number;
  url: string;
  sign: SignRequest;
  /** Every record, in the order of their sequence numbers within a shard. */
  records(): Promise<{ key: string; data: string }[]>;
}

/** Of kinesalite, not listening yet. */
export function newKinesis(options: Record<string, unknown> = {}): Server {
  const server: Server = kinesalite({ createStreamMs: 0, ...options });
  // A request that breaks off is its client's affair; kinesalite does not listen for it.
  server.prependListener("request", (request) => request.on("error", () => {}));
  return server;
}

/** Starts it, and puts the keys into this process's environment until its end. */
export async function startKinesis(): Promise<KinesisServer> {
  for (const [name, value] of Object.entries(AWS_KEYS)) Deno.env.set(name, value);
  const server = newKinesis();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const sign = awsSigner({ region: KINESIS_REGION, service: "kinesis" });
  const call = async (action: string, content: unknown): Promise<Record<string, unknown>> => {
    const body = JSON.stringify(content);
    const target = `Kinesis_20131202.${action}`;
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": target };
    const signed = await sign({ url: new URL(url), headers, body });
    const response = await fetch(url, { method: "POST", headers: signed, body });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text === "" ? {} : JSON.parse(text);
  };
  await call("CreateStream", { StreamName: KINESIS_STREAM, ShardCount: 2 });
  const describe = async () =>
    (await call("DescribeStream", { StreamName: KINESIS_STREAM }))["StreamDescription"] as {
      StreamStatus: string;
      Shards: { ShardId: string }[];
    };
  await eventually(async () => (await describe()).StreamStatus === "ACTIVE");
  return {
    port,
    url,
    sign,
    records: async () => {
      const found: { key: string; data: string }[] = [];
      for (const { ShardId } of (await describe()).Shards) {
        const where = { StreamName: KINESIS_STREAM, ShardId, ShardIteratorType: "TRIM_HORIZON" };
        let { ShardIterator } = await call("GetShardIterator", where);
        for (;;) {
          const answer = await call("GetRecords", { ShardIterator, Limit: RECORDS_MAX }) as {
            Records: { Data: string; PartitionKey: string }[];
            NextShardIterator: string;
          };
          if (answer.Records.length === 0) break;
          for (const { Data, PartitionKey: key } of answer.Records) {
            found.push({ key, data: new TextDecoder().decode(Uint8Array.fromBase64(Data)) });
          }
          ShardIterator = answer.NextShardIterator;
        }
      }
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const name of Object.keys(AWS_KEYS)) Deno.env.delete(name);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
