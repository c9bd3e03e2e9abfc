/** Sinks that are not where the configuration says. */
import assert from "node:assert/strict";
import { unreachable } from "../../../../agent/window/reach.ts";
import { SinkConfig } from "../../../../agent/window_config.ts";
import { freePort } from "../../../harness/ports.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const tried = (sink: Record<string, unknown>) =>
  unreachable(SinkConfig.parse({ name: "s", ...sink }));

Deno.test("a sink that listens is reached; one that does not is named with its address", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const there = `127.0.0.1:${listener.addr.port}`;
  const gone = `127.0.0.1:${freePort()}`;
  const token = { env: "HOME" };
  const check = async (of: (address: string) => Record<string, unknown>) => {
    assert.equal(await tried(of(there)), null);
    assert.equal(await tried(of(gone)), `${gone} refuses connections`);
  };
  await check((address) => ({ type: "webhook", url: `http://${address}/in` }));
  await check((address) => ({ type: "opensearch", url: `http://${address}` }));
  await check((address) => ({ type: "splunk", url: `http://${address}`, token }));
  await check((address) => ({ type: "mqtt", url: `mqtt://${address}`, topic: "t" }));
  await check((address) => ({ type: "kafka", brokers: [address], topic: "t" }));
  await check((address) => ({
    type: "kinesis",
    stream: "s",
    region: "r",
    url: `http://${address}`,
  }));
  assert.equal(await tried({ type: "kafka", brokers: [gone, there], topic: "t" }), null);
  const nowhere = await tried({ type: "webhook", url: "http://no-such-host.invalid/" });
  assert.match(nowhere ?? "", /^no-such-host\.invalid:80 cannot be reached: /);
});

Deno.test("a file's folder has to be there", async () => {
  await using folder = await TempFolder.make();
  assert.equal(await tried({ type: "file", path: folder.join("events.jsonl") }), null);
  const path = folder.join("no", "events.jsonl");
  assert.equal(await tried({ type: "file", path }), `${folder.join("no")}: no such file`);
  assert.equal(await tried({ type: "stdout" }), null);
});
