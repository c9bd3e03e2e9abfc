/** Chunks in other hands: the views that the agent makes for engines of others. */
import assert from "node:assert/strict";
import { Engine } from "../../queries/duckdb/engine.ts";
import { ENGINES } from "../../queries/views/views.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const agent = (...args: string[]) => runProgram({ args: ourProgram("agent/main.ts", ...args) });

/** Two streams, each with a chunk. */
async function scene(folder: TempFolder): Promise<string> {
  const json = Array.from(
    { length: 5 },
    (_, i) =>
      JSON.stringify({ time: `2026-11-20T10:00:0${i}Z`, level: "info", n: i, date: "today" }),
  );
  await folder.write("app.log", `${json.join("\n")}\n`);
  await folder.write("access.log", manyLines(combinedLine, 0, 7));
  const config = await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
streams:
  - { name: logs, files: [ ./access.log ] }
  - { name: app, format: json, files: [ ./app.log ] }
`,
  );
  for (const [stream, log] of [["logs", "access.log"], ["app", "app.log"]] as const) {
    const { code, stderr } = await agent(
      ...["import", folder.join(log), "--stream", stream, "-c", config],
    );
    assert.equal(code, 0, stderr);
  }
  return config;
}

Deno.test("DuckDB reads chunks through the agent's view as the agent does, lines too", async () => {
  await using folder = await TempFolder.make();
  const config = await scene(folder);
  await using engine = await Engine.open();
  for (const [stream, log] of [["logs", "access.log"], ["app", "app.log"]] as const) {
    const { stdout } = await agent("views", "--stream", stream, "-c", config);
    await engine.run(stdout.trim().replace(/;$/, ""));
    const { rows } = await engine.read(`SELECT line FROM ${stream}`);
    const text = await Deno.readTextFile(folder.join(log));
    assert.deepEqual(rows.map(([line]) => `${line}\n`).join(""), text);
  }
  const { rows } = await engine.read(
    `SELECT sum(n)::INT, any_value(level), any_value(log_date), any_value(region), any_value(host)
     FROM app`,
  );
  assert.deepEqual(rows, [[10, "info", "today", "eu", "web-1"]]);
});

Deno.test("views for other engines have the columns of the stream, with their types", async () => {
  await using folder = await TempFolder.make();
  const config = await scene(folder);
  const of = async (engine: string, ...more: string[]) => {
    const args = ["views", "--stream", "app", "--engine", engine, "-c", config, ...more];
    return (await agent(...args)).stdout;
  };
  assert.match(await of("clickhouse"), /`n` Nullable\(Int64\)/);
  assert.match(await of("clickhouse"), /FROM file\('\/.*\/stream=app\/\*\*\.parquet', 'Parquet'/);
  const s3 = ["--location", "https://bucket.s3.eu-west-1.amazonaws.com/logs/"];
  assert.match(await of("clickhouse", ...s3), /FROM s3\('https:.*\/logs\/stream=app\/\*\*/);
  assert.match(await of("trino"), /"n" bigint,[^]*external_location = '\/.*stream=app'/);
  assert.match(await of("athena"), /`ts` timestamp,[^]*'projection\.enabled' = 'true'/);
  assert.match(await of("spark"), /`n` bigint,[^]*PARTITIONED BY \(region, date, hour\)/);
  for (const engine of ENGINES) {
    assert.match(await of(engine), /CREATE OR REPLACE VIEW ["`]app["`] AS/, engine);
  }
  for (const location of ["a b", ""]) {
    const odd = await agent("views", "--location", location, "-c", config);
    assert.equal(odd.code, 64);
    assert.ok(odd.stderr.startsWith(`--location "${location}": wanted a URL without blanks`));
  }
});
