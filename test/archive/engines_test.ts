import assert from "node:assert/strict";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm/node";
import { archiveSql, archiveSqlPath } from "../../deploy/archive/generate.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { readObject } from "../../protocol/archive/object_store.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { ENGINES } from "../../queries/views/views.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { LINES_AN_HOUR, makeHost, writtenLines } from "./scene.ts";

const { signal } = new AbortController();

Deno.test("the SQL for other engines is what the schemas say: deno run -A deploy/archive/generate.ts", async () => {
  for (const engine of ENGINES) {
    assert.equal(await Deno.readTextFile(archiveSqlPath(engine)), archiveSql(engine), engine);
  }
});

Deno.test("DuckDB reads an archive by deploy/archive/duckdb.sql, lines and region too", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await host.seal(3);
  await using objects = new FolderStore(folder.join("archive"));
  await host.archive(objects).uploadAll(signal);
  const sql = await Deno.readTextFile(archiveSqlPath("duckdb"));
  const statement = sql.replaceAll("s3://BUCKET/PREFIX", folder.join("archive"))
    .split(/;\n/).find((text) => text.includes('VIEW "logs"'));
  await using engine = await Engine.open();
  await engine.run(statement ?? "");
  const { rows } = await engine.read("SELECT line, region, host FROM logs ORDER BY line");
  assert.deepEqual(rows, writtenLines(3 * LINES_AN_HOUR).map((line) => [line, "eu", "web-1"]));
  const hours = await engine.read(
    "SELECT date, hour, count(*)::INT, bool_and(date || hour = strftime(ts, '%Y-%m-%d%H')) FROM logs GROUP BY ALL",
  );
  assert.deepEqual(hours.rows.map(([, , ...counted]) => counted), Array(3).fill([3, true]));
});

/** Each of these was an error, or a wrong answer, of that engine as its documentation has it. */
Deno.test("the SQL for engines that are not here to try keeps to what they document", () => {
  // trino.io/docs/current/functions/decimal.html: by 1000.0, request_time would be tenths of a second.
  for (const engine of ["trino", "athena", "spark", "clickhouse"] as const) {
    assert.match(archiveSql(engine), /request_time_ms.? \/ 1000e0 AS/, engine);
    assert.match(archiveSql(engine), /AS .date.,\n.* AS .hour.\nFROM/, engine);
  }
  // trino.io/docs/current/connector/hive.html: hive.timestamp-precision is MILLISECONDS, others are refused.
  assert.doesNotMatch(archiveSql("trino"), /timestamp\(6\)/);
  // With columns of the path, which 25.1 and later take by default, the structure has to have them all.
  assert.equal(archiveSql("clickhouse").match(/\nSETTINGS use_hive_partitioning = 0;/g)?.length, 2);
});

Deno.test("a reader that is not DuckDB reads chunks: every row, with its values", async () => {
  await using folder = await TempFolder.make();
  const log = await folder.write("access.log", manyLines(combinedLine, 0, 20_000));
  const config = await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
archive: { url: "file:./archive" }
streams: [ { name: logs, files: [ ./access.log ] } ]
`,
  );
  const args = ourProgram("agent/main.ts", "import", log, "-c", config);
  const { code, stderr } = await runProgram({ args });
  assert.equal(code, 0, stderr);
  await using chunks = new FolderStore(folder.join("data"));
  const requests: string[] = [];
  let bytes = 0n;
  for await (const { key } of chunks.list("stream=logs/", signal)) {
    const file = readParquet(await readObject(chunks, key, {}, signal));
    for (const row of tableFromIPC(file.intoIPCStream())) {
      requests.push(String(row.request));
      bytes += BigInt(row.body_bytes_sent ?? 0);
    }
  }
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT request, body_bytes_sent FROM read_parquet('${
      join(folder.path, "data")
    }/stream=logs/**/*.parquet')`,
  );
  assert.equal(requests.length, 20_000);
  assert.deepEqual(requests.sort(), rows.map(([request]) => String(request)).sort());
  assert.equal(bytes, rows.reduce((sum, [, sent]) => sum + BigInt(String(sent ?? 0)), 0n));
});
