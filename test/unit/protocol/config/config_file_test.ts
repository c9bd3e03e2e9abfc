/** Configuration files: what users read when one is wrong, and what programs get when it is right. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { z } from "zod";
import {
  BrokerUrl,
  Bytes,
  Duration,
  parseConfig,
} from "../../../../protocol/config/config_file.ts";
import type { ReadOptions } from "../../../../protocol/config/config_file.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { HostName, Labels } from "../../../../protocol/names.ts";

const Config = z.strictObject({
  host: HostName.default("nobody"),
  labels: Labels.default({}),
  data_dir: z.string().min(1).optional(),
  broker: BrokerUrl,
  flush_every: Duration.default(10_000),
  part_size: Bytes.default(1_000),
  hosts_max: z.int().positive().default(1),
  streams: z.array(z.strictObject({
    name: z.string(),
    format: z.enum(["auto", "combined", "json"]).default("auto"),
    files: z.array(z.string()).min(1),
  })).default([]),
});

function parse(text: string, options: ReadOptions = {}, env: Record<string, string> = {}) {
  return parseConfig({ path: "etc/agent.yaml", text, schema: Config, options, env });
}

function refused(text: string, env: Record<string, string> = {}): string {
  try {
    parse(text, { environment: { LOGVEND_HOST: ["host"] } }, env);
  } catch (error) {
    assert(error instanceof LogvendError && error.exitCode === 78);
    return error.message;
  }
  assert.fail("The file was accepted");
}

Deno.test("every error of a file is named at once, with line, key, found and wanted", () => {
  const message = refused(`# one host
lables: { service: web }
broker:
flush_every: 5 parsecs
streams:
  - name: logs
    format: combned
    files: []
  - { name: logs, format: ngnix }
`);
  assert.equal(
    message,
    `etc/agent.yaml:2:1 lables: unknown key; wanted host, labels, data_dir, broker, flush_every,
  part_size, hosts_max or streams. Did you mean labels?
etc/agent.yaml:3 broker: missing; wanted a URL, e.g. mqtts://broker.example:8883
etc/agent.yaml:4:14 flush_every: found "5 parsecs"; wanted a duration such as 250ms, 10s,
  15m, 24h or 7d
etc/agent.yaml:7:13 streams[0].format: found "combned"; wanted auto, combined or json. Did
  you mean combined?
etc/agent.yaml:8:12 streams[0].files: found []; wanted at least 1 item
etc/agent.yaml:9 streams[1].files: missing; wanted a list
etc/agent.yaml:9:27 streams[1].format: found "ngnix"; wanted auto, combined or json
7 errors; nothing started (exit 78)`,
  );
});

Deno.test("one wrong value gives one line", () => {
  const broker = "broker: mqtt://127.0.0.1:1883\n";
  const check = (text: string, line: string) =>
    assert.equal(refused(text), `etc/agent.yaml${line}\n1 error; nothing started (exit 78)`);
  check("", ":1 broker: missing; wanted a URL, e.g. mqtts://broker.example:8883");
  check("just words", ':1:1 (whole file): found "just words"; wanted keys and values');
  check(
    "broker: here",
    ':1:9 broker: found "here"; wanted a URL, e.g. mqtts://broker.example:8883',
  );
  check(
    `${broker}host: a/b`,
    ':2:7 host: found "a/b"; wanted letters, digits, . _ - (128 at most)',
  );
  check(`${broker}labels: { n: 1 }`, ":2:14 labels.n: found 1; wanted a text");
  check(
    `${broker}labels: { a b: x }`,
    ':2:16 labels.a b: found "a b"; wanted as key letters, digits, . _ -',
  );
  check(`${broker}data_dir: ''`, ':2:11 data_dir: found ""; wanted at least 1 character');
  check(`${broker}hosts_max: 0`, ":2:12 hosts_max: found 0; wanted more than 0");
  check(`${broker}hosts_max: 1.5`, ":2:12 hosts_max: found 1.5; wanted a whole number");
  check(
    `${broker}part_size: -1`,
    ":2:12 part_size: found -1; wanted at least 0",
  );
  check(
    `${broker}streams:\n  - name: a\n    files: [b]\n    fromat: json`,
    ":5:5 streams[0].fromat: unknown key; wanted name, format or files. Did you\n  mean format?",
  );
  check("broker: 'a", ":1:11 Missing closing 'quote");
  check("host: a\nhost: b", ":2:1 Map keys must be unique");
});

Deno.test("a wrong environment variable is named instead of the file", () => {
  assert.equal(
    refused("broker: mqtt://127.0.0.1:1883", { LOGVEND_HOST: "a b" }),
    'LOGVEND_HOST: found "a b"; wanted letters, digits, . _ - (128 at most)\n' +
      "1 error; nothing started (exit 78)",
  );
});

Deno.test("units become numbers, variables win, paths start at the file's folder", () => {
  const options = {
    environment: { LOGVEND_HOST: ["host"] },
    paths: [["data_dir"], ["streams", "*", "files", "*"]],
  };
  const text = `
host: a
data_dir: ./data
broker: mqtts://broker.example:8883
flush_every: 2m
part_size: 64MB
streams: [{ name: logs, files: [ ../logs/*.log, /var/log/b ] }]`;
  assert.deepEqual(parse(text, options, { LOGVEND_HOST: "b" }), {
    host: "b",
    labels: {},
    data_dir: resolve("etc/data"),
    broker: "mqtts://broker.example:8883",
    flush_every: 120_000,
    part_size: 64e6,
    hosts_max: 1,
    streams: [{ name: "logs", format: "auto", files: [resolve("logs/*.log"), "/var/log/b"] }],
  });
});
