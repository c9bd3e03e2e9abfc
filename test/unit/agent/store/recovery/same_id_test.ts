/** Files that have the id of another one: somebody has copied them, whole or damaged. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { databasePath } from "../../../../../agent/store/database/database.ts";
import { QUARANTINE } from "../../../../../agent/store/files/keeper.ts";
import { readBooks } from "../../../../../agent/store/files/stored_files.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { eraseSigner, erasingHost, hourLines } from "../../erase/scene.ts";
import * as scene from "../scene.ts";

const { folder, parquetFiles, read, COUNT, START_MS, HOUR_MS } = scene;

const open = (path: string) => scene.open(path, () => START_MS + 5 * HOUR_MS);

/** Ten rows: in a chunk, or in a part. */
async function fill(path: string, isSealed: boolean): Promise<string> {
  await using store = await open(path);
  store.putGeneration(scene.GENERATION);
  await store.append(scene.batch(0, 10, () => START_MS));
  await store.flush();
  if (isSealed) await store.sealAll();
  return readBooks(path).files[0]?.path ?? "";
}

async function write(dataDir: string, path: string, content: Uint8Array) {
  await Deno.mkdir(join(dataDir, dirname(path)), { recursive: true });
  await Deno.writeFile(join(dataDir, path), content);
}

const damaged = (text: string) => new TextEncoder().encode(text);

async function filesOf(dataDir: string): Promise<string[]> {
  return (await parquetFiles(dataDir)).map((path) => path.slice(dataDir.length + 1)).sort();
}

const HOUR = "stream=logs/region=eu/date=2026-11-22/hour=18";
const NAME = "web-1.0123456789abcdef.parquet";
const SAME = [
  `${HOUR}/${NAME}`,
  `${HOUR.replace("18", "19")}/${NAME}`,
  `${HOUR.replace("eu", "us")}/${NAME}`,
];

Deno.test("damaged files with one id are all set aside at one start, and none is another's any more", async () => {
  await using data = await folder();
  for (const path of SAME) await write(data.path, path, damaged(path));
  await using _store = await open(data.path);
  const aside = await filesOf(data.path);
  assert.ok(aside.every((path) => path.startsWith(`${QUARANTINE}/`)), aside.join(" "));
  const texts = aside.map((path) => Deno.readTextFileSync(join(data.path, path)));
  assert.deepEqual(texts.sort(), SAME.toSorted());
});

Deno.test("damaged files with one id all go where an erasure may mean their rows, those of other streams stay", async () => {
  await using data = await folder();
  const { sign } = await eraseSigner();
  const erasure = await sign();
  const others = SAME.map((path) => path.replace("stream=logs", "stream=app"));
  {
    await using store = await open(data.path);
    store.erasures.add(erasure);
  }
  for (const path of [...SAME, ...others]) await write(data.path, path, damaged(path));
  await using store = await open(data.path);
  await store.keeper.eraseSetAside(["logs", "rejects"], 0, (START_MS + 5 * HOUR_MS) * 1_000);
  const left = await filesOf(data.path);
  const texts = left.map((path) => Deno.readTextFileSync(join(data.path, path)));
  assert.deepEqual(texts.sort(), others.toSorted());
});

Deno.test("a damaged file with the id of one that was lost takes nothing from what is known of that one", async () => {
  await using data = await folder();
  const path = await fill(data.path, true);
  await write(data.path, path, damaged("no Parquet any more"));
  const everything = { tables: ["logs"], since: null, until: null };
  for (const at of [path, path, path.replace("region=eu", "region=us")]) {
    await using store = await open(data.path);
    assert.deepEqual(await read(store, COUNT), [[0, 0]]);
    await using snapshot = await store.snapshot(everything);
    assert.deepEqual(snapshot.lost.rows, 10);
    await write(data.path, at, damaged("there again"));
  }
});

Deno.test("of a file that was copied into other folders each row is there once, whatever agent.db knows", async () => {
  for (const isSealed of [true, false]) {
    for (const isLost of [true, false]) {
      await using data = await folder();
      const path = await fill(data.path, isSealed);
      const content = await Deno.readFile(join(data.path, path));
      for (const other of ["region=us", "hour=19"].map((to) => movedTo(path, to))) {
        await write(data.path, other, content);
      }
      if (isLost) await Deno.remove(databasePath(data.path));
      await using store = await open(data.path);
      assert.deepEqual(await read(store, COUNT), [[10, 10]]);
      assert.deepEqual(await filesOf(data.path), [path]);
    }
  }
});

Deno.test("a copy in another folder brings back no rows that were erased from the chunk, without agent.db either", async () => {
  await using temp = await TempFolder.make();
  const { sign } = await eraseSigner();
  let dataDir;
  let whole: { path: string; content: Uint8Array } | undefined;
  {
    await using host = await erasingHost(temp);
    dataDir = host.dataDir;
    await host.write(hourLines(0));
    await host.store.flush();
    await host.store.sealAll();
    const chunk = readBooks(dataDir).files.find(({ stream }) => stream === "logs");
    assert.ok(chunk);
    whole = { path: chunk.path, content: await Deno.readFile(join(dataDir, chunk.path)) };
    host.eraser.add(await sign());
    await host.eraser.work(new AbortController().signal);
  }
  const before = await filesOf(dataDir);
  await write(dataDir, whole.path.replace("region=eu", "region=us"), whole.content);
  await write(dataDir, whole.path.replace("region=eu", "region=af"), whole.content);
  await Deno.remove(databasePath(dataDir));
  await using _host = await erasingHost(temp);
  assert.deepEqual(await filesOf(dataDir), before);
});

function movedTo(path: string, folder: string): string {
  const [key] = folder.split("=");
  if (path.startsWith("parts/")) return path.replace(/[^/]+\./, `${key}.`);
  return path.replace(new RegExp(`${key}=[^/]+`), folder);
}
