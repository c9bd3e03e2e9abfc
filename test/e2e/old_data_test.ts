import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { databasePath } from "../../agent/store/database/database.ts";
import { Store } from "../../agent/store/store.ts";
import { copyFolder, TempFolder } from "../harness/temp_folder.ts";
import { ourProgram, runProgram } from "../harness/program.ts";

const FIXTURE = fileURLToPath(new URL("../fixtures/data_v1/", import.meta.url));

const COUNT = "SELECT count(*) AS n FROM logs";

/** A copy of the old data folder, with a configuration for it. */
async function oldData() {
  const folder = await TempFolder.make();
  const dataDir = folder.join("data");
  await copyFolder(join(FIXTURE, "store"), dataDir);
  const config = await folder.write(
    "agent.yaml",
    `host: web-1\nregion: eu\ndata_dir: data\nstreams: [{name: logs, files: [logs/*.log]}]\n`,
  );
  const agent = async (...args: string[]) => {
    const ended = await runProgram({ args: ourProgram("agent/main.ts", ...args, "-c", config) });
    assert.equal(ended.code, 0, ended.stderr);
    return ended.stdout;
  };
  return { folder, dataDir, agent, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

function openStore(dataDir: string): Promise<Store> {
  return Store.open({
    dataDir,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 1_000,
    signal: new AbortController().signal,
  });
}

Deno.test("a data folder of the first version opens, seals, answers, adds up and is restored", async () => {
  await using old = await oldData();
  const { agent } = old;
  {
    await using store = await openStore(old.dataDir);
    assert.equal((await store.sealAll()).length, 3);
  }
  const sql = "SELECT count(*) AS n, count(DISTINCT request) AS d FROM logs";
  assert.equal((await agent("query", sql, "--since", "all", "-o", "csv")).trim(), "n,d\n25,25");
  const rejects = "SELECT line::VARCHAR AS line FROM rejects ORDER BY line_offset";
  assert.equal(
    (await agent("query", rejects, "--since", "all", "-o", "csv")).trim(),
    "line\nno log line\nnor this",
  );
  assert.match(await agent("account"), /^adds up: 0 lines read/m);
  const original = await Deno.readTextFile(join(FIXTURE, "access.log"));
  assert.equal(await agent("restore", "--stream", "logs"), original);
});

Deno.test("without its agent.db an old folder still answers for all that it holds", async () => {
  await using old = await oldData();
  await Deno.remove(databasePath(old.dataDir));
  await (await openStore(old.dataDir))[Symbol.asyncDispose]();
  const answer = await old.agent("query", COUNT, "--since", "all", "-o", "csv");
  assert.equal(answer.trim(), "n\n25");
});

Deno.test("a data folder of a newer version is refused, and stays as it is", async () => {
  await using old = await oldData();
  {
    using database = new DatabaseSync(databasePath(old.dataDir));
    database.exec("UPDATE meta SET value = '99'; PRAGMA user_version = 99");
  }
  const before = await Deno.readFile(databasePath(old.dataDir));
  await assert.rejects(openStore(old.dataDir), /has format 99, .* use the newer program/);
  assert.deepEqual(await Deno.readFile(databasePath(old.dataDir)), before);
});
