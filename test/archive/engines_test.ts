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
