/** orchestrator/config.ts: defaults, and what is refused. */
import assert from "node:assert/strict";
import { OrchestratorConfig, readOrchestratorConfig } from "../../../orchestrator/config.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import { TempFolder } from "../../harness/temp_folder.ts";

const KEY = `ed25519:${"a".repeat(43)}`;

async function failure(yaml: string): Promise<string> {
  await using folder = await TempFolder.make();
  const path = await folder.write("orchestrator.yaml", yaml);
  try {
    await readOrchestratorConfig(path);
  } catch (error) {
    assert.ok(error instanceof LogvendError);
    assert.equal(error.exitCode, 78);
    return error.message.replaceAll(path, "orchestrator.yaml").replace(/\n {2}/g, " ");
  }
  throw new Error("It was accepted");
}

Deno.test("a data folder is all that an orchestrator must be told", () => {
  const config = OrchestratorConfig.parse({ data_dir: "x" });
  assert.deepEqual({ ...config, name: "" }, {
    name: "",
    http: { hostname: "127.0.0.1", port: 8080 },
    ack_timeout: 1_000,
    archives: [],
    archive_prices: { requests_1000: 0.0004, gigabyte: 0 },
    broker: "embedded",
    broker_listen: { hostname: "127.0.0.1", port: 1883 },
    data_dir: "x",
    kept_pieces: 10e9,
    publish: [],
    topic_prefix: "logvend",
    trust: [],
    trust_erase: [],
  });
});

Deno.test("loopback addresses are taken in every form", () => {
  const parse = (http: string) => OrchestratorConfig.parse({ data_dir: "x", http }).http;
  assert.deepEqual(parse("localhost:0"), { hostname: "localhost", port: 0 });
  assert.deepEqual(parse("[::1]:80"), { hostname: "::1", port: 80 });
  assert.deepEqual(parse("127.8.9.1:80"), { hostname: "127.8.9.1", port: 80 });
});

Deno.test("the API and the embedded broker are not opened to the network", async () => {
  const message = await failure(`data_dir: x
http: 0.0.0.0:8080
broker_listen: 10.0.0.1:1883
`);
  assert.match(
    message,
    /^orchestrator.yaml:2:7 http: found "0.0.0.0:8080"; wanted a loopback address: without TLS/m,
  );
  assert.match(
    message,
    /^orchestrator.yaml:3:16 broker_listen: .*no TLS and no accounts.*set broker: mqtts/m,
  );
});

Deno.test("what is no broker, no key or no address is named", async () => {
  const wanted = "wanted embedded or a URL such as mqtts://broker.example:8883";
  const broker = async (value: string, end = "") =>
    assert.equal(
      await failure(`data_dir: x\nbroker: ${value}\n`),
      `orchestrator.yaml:2:9 broker: found ${JSON.stringify(value)}; ${wanted}${end}\n` +
        "1 error; nothing started (exit 78)",
    );
  await broker("mosquitto");
  await broker("http://broker.example");
  await broker("embeded", ". Did you mean embedded?");
  assert.match(await failure("data_dir: x\ntrust: [ abc ]\n"), /2:10 trust\[0\]: found "abc"/);
  assert.match(await failure("data_dir: x\nhttp: here\n"), /2:7 http: found "here"; wanted an add/);
  assert.match(await failure(`trust: [ "${KEY}" ]\n`), /data_dir: missing/);
});
