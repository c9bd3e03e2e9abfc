import assert from "node:assert/strict";
import { readAgentConfig } from "../../../agent/config.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import { TempFolder } from "../../harness/temp_folder.ts";

/** What is said of a configuration, on one line. */
async function complaint(yaml: string): Promise<string> {
  await using folder = await TempFolder.make();
  const path = await folder.write("agent.yaml", yaml);
  const error = await readAgentConfig(path).then(() => null, (error) => error);
  assert.ok(error instanceof LogvendError && error.code === "bad_config");
  return error.message.replaceAll(path, "agent.yaml").replace(/\s+/g, " ");
}

Deno.test("who names the server as a log's format is told which format that is", async () => {
  const check = async (format: string, end: string) => {
    const yaml = `data_dir: d\nstreams: [ { name: logs, format: ${format}, files: [ a ] } ]\n`;
    assert.equal(
      await complaint(yaml),
      `agent.yaml:2:34 streams[0].format: found "${format}"; wanted combined, common, auto, json, logfmt, syslog, cri, docker, raw, { nginx: LOG_FORMAT } or { regex: PATTERN }${end} ` +
        "1 error; nothing started (exit 78)",
    );
  };
  await check("nginx", "; nginx logs are combined (or auto)");
  await check("ngnix", "; nginx logs are combined (or auto)");
  await check("Apache", "; apache logs are combined (or auto)");
  await check("jsn", ". Did you mean json?");
  await check("csv", "");
});

Deno.test("a data_dir that is missing or no text is asked for by example", async () => {
  const streams = "streams: [ { name: logs, files: [ a ] } ]\n";
  assert.match(await complaint(streams), /data_dir: missing; wanted a folder, e\.g\. \.\/data 1/);
  const found = await complaint(`data_dir: ""\n${streams}`);
  assert.match(found, /data_dir: found ""; wanted a folder, e\.g\. \.\/data 1/);
});

Deno.test("where there is no configuration, the message says what to give", async () => {
  await assert.rejects(readAgentConfig("/nowhere.yaml"), {
    message: "Cannot read /nowhere.yaml: no such file; give -c CONFIG",
  });
});

Deno.test("limits have defaults, and memory under what the program needs is refused", async () => {
  const streams = "data_dir: d\nstreams: [ { name: logs, files: [ a ] } ]\n";
  await using folder = await TempFolder.make();
  const { limits } = await readAgentConfig(await folder.write("agent.yaml", streams));
  assert.deepEqual(limits, { memory: 250e6, nice: 10 });
  const refused = await complaint(`${streams}limits: { memory: 64MB, nice: 30 }\n`);
  assert.match(refused, /limits\.memory: found "64MB"; wanted a size from 230MB/);
  assert.match(refused, /limits\.nice: found 30; wanted 0 to 19/);
});

Deno.test("metrics are for this machine only", async () => {
  const streams = "data_dir: d\nstreams: [ { name: logs, files: [ a ] } ]\n";
  const refused = await complaint(`${streams}http: 0.0.0.0:9464\n`);
  assert.match(
    refused,
    /http: found "0\.0\.0\.0:9464"; wanted a loopback address: metrics are for/,
  );
});

Deno.test("a policy names tables that there are, and hides no column that rows cannot do without", async () => {
  const streams = "data_dir: d\nstreams: [ { name: logs, files: [ a ] } ]\n";
  assert.match(
    await complaint(`${streams}policy: { streams: [ log ], columns: { lgs: [ a ] } }\n`),
    /policy\.streams\[0\]: found "log"; wanted a table of this host: logs, rejects.* policy\.columns\.lgs: found "lgs"/,
  );
  const masked = await complaint(`${streams}policy: { mask: { ts: no_query } }\n`);
  assert.match(masked, /as key any column but ts, time_local, host, region/);
  const memory = await complaint(`${streams}policy: { memory: 1MB, running: 0 }\n`);
  assert.match(memory, /policy\.memory: .*wanted a size from 128MiB.*policy\.running: .*1 to 16/);
});
