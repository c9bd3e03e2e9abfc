/** SQL that is out for what it may not have: refused by the gate, and without a gate of no use. */
import assert from "node:assert/strict";
import { sha256Hex } from "../../protocol/sha256.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { admit } from "../../queries/gate.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeLogs } from "../unit/agent/query/logs.ts";
import { readCorpus } from "./corpus.ts";
import type { Statement } from "./corpus.ts";

const SECRET = "c4nary";

/** DuckDB's parser says itself what it does not take, and of these not where. */
const OF_PARSER = /NOT IMPLEMENTED|A CTE needs a SELECT/;

/** Without a gate these may end the process that runs them: that is what it is separate for. */
const DEADLY = "States, internals, what ends the process";

/** What waits or makes rows without end is interrupted. */
const RUN_MAX_MS = 200;

interface Scene extends AsyncDisposable {
  folder: TempFolder;
  chunk: string;
  attacks: Statement[];
}

async function scene(): Promise<Scene> {
  const folder = await TempFolder.make();
  const chunk = folder.join("chunk.parquet");
  await writeLogs(chunk, 100);
  const secret = await folder.write("secret", `${SECRET}\n`);
  for (const ending of ["csv", "json"]) await folder.write(`secret.${ending}`, `"${SECRET}"\n`);
  await Deno.mkdir(folder.join("sub"));
  await Deno.symlink(secret, folder.join("link"));
  const attacks = await readCorpus("attacks.txt", {
    places: { SECRET: secret, CHUNK: chunk, LINK: folder.join("link"), FOLDER: folder.path },
  });
  return { folder, chunk, attacks, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

Deno.test("the gate refuses every attack, with the reason and its place", async () => {
  await using here = await scene();
  assert(here.attacks.length >= 150, `${here.attacks.length} attacks`);
  await using engine = await Engine.open();
  const passed: string[] = [];
  const placeless: string[] = [];
  for (const { sql } of here.attacks) {
    try {
      await admit(engine, sql, ["logs", "rejects"]);
      passed.push(sql);
    } catch (error) {
      assert(error instanceof LogvendError && error.code === "bad_sql", `${sql}: ${error}`);
      const isPlaced = /\n {2}at \d+:\d+\n/.test(error.message) || OF_PARSER.test(error.message);
      if (!isPlaced) placeless.push(`${sql}: ${error.message}`);
    }
  }
  assert.deepEqual(passed, []);
  assert.deepEqual(placeless, []);
});

Deno.test("without the gate too, no attack reads a secret or writes a file", async () => {
  await using here = await scene();
  const files = async () => (await Array.fromAsync(Deno.readDir(here.folder.path))).length;
  const before = { files: await files(), chunk: sha256Hex(await Deno.readFile(here.chunk)) };
  const source = { files: [here.chunk], region: "r-1", since: null, until: null };
  const views = [{ table: "logs", sql: tableSelect(ACCESS, source) }];
  for (const { sql, section } of here.attacks) {
    if (section === DEADLY || sql.includes("USE_TMP_FILE")) continue;
    await using engine = await Engine.open({ memoryBytes: 64 * 2 ** 20 });
    await engine.lockDown([here.chunk], views);
    const timer = setTimeout(() => engine.interrupt(), RUN_MAX_MS);
    const found = await engine.read(sql).then(({ rows }) => rows, () => []);
    clearTimeout(timer);
    const told = JSON.stringify(
      found,
      (_key, value) => typeof value === "bigint" ? String(value) : value,
    );
    assert(!told.includes(SECRET), sql);
  }
  assert.equal(await files(), before.files);
  assert.equal(sha256Hex(await Deno.readFile(here.chunk)), before.chunk);
});
