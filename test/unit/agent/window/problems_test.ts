/** What `validate` says of windows and sinks that cannot be. */
import assert from "node:assert/strict";
import { readAgentConfig } from "../../../../agent/config.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const STREAMS = "data_dir: d\nstreams: [ { name: logs, files: [ a ] } ]\n";

/** What is said, on one line; null: it is right. */
async function complaint(yaml: string, own = ""): Promise<string | null> {
  await using folder = await TempFolder.make();
  const path = await folder.write("agent.yaml", STREAMS + yaml);
  await folder.write("own.sql", own);
  const error = await readAgentConfig(path).then(() => null, (error) => error);
  if (error === null) return null;
  assert.ok(error instanceof LogvendError && error.code === "bad_config");
  return error.message.replaceAll(folder.path, "").replace(/\s+/g, " ");
}

async function refuses(yaml: string, message: RegExp, own = "") {
  assert.match(await complaint(yaml, own) ?? "nothing", message);
}

Deno.test("windows and sinks that are right pass, and have defaults", async () => {
  const sink = "{ name: out, type: file, path: ./out.jsonl }";
  const own = "-- group: slow\nSELECT request AS value, count(*) AS count FROM logs GROUP BY 1";
  assert.equal(await complaint(`windows: { own: [ ./own.sql ] }\nsinks: [ ${sink} ]\n`, own), null);
  await using folder = await TempFolder.make();
  const path = await folder.write("agent.yaml", `${STREAMS}windows: {}\nsinks: [ ${sink} ]\n`);
  const { windows, sinks: [out] } = await readAgentConfig(path);
  assert.deepEqual([windows?.every, windows?.grace, windows?.late], [10_000, 2_000, 86_400_000]);
  assert.deepEqual([out?.schema, out?.batch], ["logvend", 500]);
  assert.ok(out?.type === "file" && out.path === folder.join("out.jsonl"));
});

Deno.test("a bad window, list, select or sink is said with its place and what to do", async () => {
  await refuses("windows: { every: 7s }", /windows\.every: found "7s"; wanted a part of an hour/);
  await refuses("windows: { lists: [ stats ] }", /windows\.lists\[0\].*status/);
  await refuses(
    "windows: { streams: [ log ] }",
    /found "log"; wanted one of logs\. Did you mean logs\?/,
  );
  const own = "windows: { own: [ ./own.sql ] }";
  await refuses(own, /a list that can be made: .*no SELECT/, "-- group: a\n");
  await refuses(own, /-- group: status is another list already/, "-- group: status\nSELECT 1");
  await refuses(own, /-- stream: one of logs/, "-- group: a\n-- stream: app\nSELECT 1");
  await refuses(own, /colour/, "-- group: a\nSELECT count(colour) AS count FROM logs");
  await refuses(
    own,
    /not allowed in FROM/,
    "-- group: a\nSELECT count(*) AS count FROM read_csv('/x')",
  );
  await refuses("windows: { own: [ ./none.sql ] }", /a list that can be made/);
  await refuses(
    "sinks: [ { name: a, type: kaftka } ]",
    /sinks\[0\]\.type: found .*"kaftka".*; wanted file, stdout, webhook, mqtt, opensearch, kafka/,
  );
  const kafka = "name: a, type: kafka, brokers: [ 'b:9092' ], topic: t";
  await refuses(`sinks: [ { ${kafka}, username: u } ]`, /wanted username and password/);
  await refuses(`sinks: [ { ${kafka}, sasl: PLAIN } ]`, /sasl with an account/);
  await refuses("sinks: [ { name: a, type: kafka, brokers: [ b ], topic: t } ]", /host:port/);
  const search = "name: a, type: opensearch, url: 'https://s.example:9200'";
  await refuses(`sinks: [ { ${search}, index: Logs } ]`, /found "Logs"; wanted a-z, 0-9/);
  await refuses(`sinks: [ { ${search}, aws: {} } ]`, /sinks\[0\]\.aws\.region: missing/);
  await refuses("sinks: [ { name: a, type: splunk, url: x } ]", /token: missing/);
  await refuses("sinks: [ { name: a, type: webhook } ]", /sinks\[0\]\.url: missing; wanted a URL/);
  await refuses("sinks: [ { name: A, type: stdout } ]", /found "A"; wanted a-z, 0-9/);
  await refuses("sinks: [ { name: windows, type: stdout } ]", /any name but windows/);
  await refuses(
    "sinks: [ { name: a, type: stdout }, { name: a, type: stdout } ]",
    /sinks\[1\]\.name: found "a"; wanted names that differ/,
  );
  const hook = "type: webhook, url: 'https://a.example/'";
  await refuses(
    `sinks: [ { name: a, ${hook}, secret: { env: LOGVEND_NO_SUCH } } ]`,
    /LOGVEND_NO_SUCH is not set/,
  );
  await refuses(
    `sinks: [ { name: a, ${hook}, secrets: red } ]`,
    /sinks\[0\]\.secrets: unknown key; wanted .*headers, ca or secret\. Did you mean secret\?/,
  );
  await refuses(
    `sinks: [ { name: a, ${hook}, ca: ./none.pem } ]`,
    /none\.pem \(ca\): no such file/,
  );
  await refuses(
    "sinks: [ { name: a, type: webhook, url: 'http://a.example/', ca: ./own.sql } ]",
    /sinks\[0\]\.ca: .*wanted none, or a connection with TLS/,
  );
  await refuses(`sinks: [ { ${kafka}, ca: ./own.sql } ]`, /wanted none, or a connection with TLS/);
  const select = (sql: string) => `sinks: [ { name: a, type: stdout, select: "${sql}" } ]`;
  await refuses(select("SELECT colour FROM logs"), /a SELECT over one stream: .*colour/);
  await refuses(select("SELECT 1"), /it reads none/);
  await refuses(select("SELECT * FROM rejects"), /There is no table/);
});
