/** How manifests come about: by several agents, from notes, from listings alone, and out of step. */
import assert from "node:assert/strict";
import { ChunkDescriber } from "../../../../../agent/archive/catalog/describe_chunk.ts";
import { foldDay } from "../../../../../agent/archive/catalog/fold_day.ts";
import { hashOf } from "../../../../../protocol/archive/catalog/fingerprints.ts";
import { UploadNotes } from "../../../../../agent/archive/catalog/upload_notes.ts";
import { ENTRIES, manifestKey } from "../../../../../protocol/archive/catalog/catalog_keys.ts";
import { whileChanged } from "../../../../../protocol/archive/catalog/while_changed.ts";
import { parseChunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import type { ObjectStore } from "../../../../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../../../../protocol/sha256.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { makeHost } from "../../../../archive/scene.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import {
  addressOf,
  agentOf,
  countRows,
  dateOf,
  foundKeys,
  keyOf,
  LATER_MS,
  putChunk,
  scopeOf,
  signal,
} from "./scene.ts";
import type { SceneAgent } from "./scene.ts";

const DAY = { stream: "logs", region: "eu", date: dateOf(0) };

/** What a manifest says, without when and by whom it was made. */
async function contentOf({ catalog }: SceneAgent, store: ObjectStore, texts: readonly string[]) {
  const [object] = await Array.fromAsync(store.list(manifestKey(DAY), signal));
  assert.ok(object, "there is a manifest");
  const { manifest, read } = await catalog.shelf.open(object, signal);
  const { facts: { indexed, hosts, chunks } } = manifest;
  const found = await Promise.all(texts.map(async (text) => {
    return [...await manifest.chunksWith("remote_addr", [text], read) ?? ["any"]].sort();
  }));
  return { indexed, hosts, chunks, entries: await manifest.entries(read), found };
}

/** Folds by an agent, whatever is due. */
async function fold({ catalog }: SceneAgent, folder: TempFolder, index = ["remote_addr"]) {
  const parts = { ...catalog, folder: folder.join("fold"), clock: () => LATER_MS };
  return await foldDay(parts, DAY, index, signal);
}

Deno.test("agents that write at once lose nothing: each chunk is in the manifest or its day is listed", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  const agents = await Promise.all(
    [1, 2, 3].map((i) => agentOf(store, folder, { host: `web-${i}` })),
  );
  const chunks = agents.map((_, i) => ({ day: 0, host: `web-${i + 1}` }));
  const days = [{ stream: "logs", date: DAY.date }];
  for (let round = 0; round < 2; round++) {
    const outcomes = await Promise.all(agents.map(async (agent, i) => {
      const chunk = { ...chunks[i] ?? { day: 0 }, chunk: round };
      await agent.catalog.own.open(days, signal);
      await putChunk(store, folder, chunk);
      await agent.catalog.own.close(signal);
      return await fold(agent, folder);
    }));
    assert.ok(outcomes.includes("stored"), outcomes.join());
    const all = chunks.flatMap((chunk) =>
      Array.from({ length: round + 1 }, (_, i) => ({ ...chunk, chunk: i }))
    );
    for (const agent of agents) {
      assert.deepEqual(await foundKeys(agent, scopeOf()), all.map(keyOf).sort());
      for (const chunk of all) {
        assert.equal((await countRows(agent, scopeOf([addressOf(chunk)]))).length, 1, keyOf(chunk));
      }
    }
  }
});

Deno.test("an agent that was overtaken while it made a manifest does not put it", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  await putChunk(store, folder, { day: 0 });
  const [slow, quick] = await Promise.all([agentOf(store, folder), agentOf(store, folder)]);
  assert.equal(await fold(slow, folder), "stored");
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  class HeldStore extends FolderStore {
    override async head(key: string, signal: AbortSignal) {
      const found = await super.head(key, signal);
      if (key !== manifestKey(DAY)) return found;
      reached.resolve(); // it has looked for the last time
      await held.promise;
      return found;
    }
  }
  const behind = {
    ...slow,
    catalog: { ...slow.catalog, store: new HeldStore(folder.join("archive")) },
  };
  const late = fold(behind, folder);
  await reached.promise;
  await putChunk(store, folder, { day: 0, chunk: 1 });
  assert.equal(await fold(quick, folder), "stored");
  held.resolve();
  assert.equal(await late, "lost");
  assert.equal((await contentOf(quick, store, [])).chunks, 2);
});

Deno.test("a manifest made of listings alone is that which was kept day by day", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  const agent = await agentOf(store, folder);
  const texts: string[] = ["192.0.2.200"];
  for (let chunk = 0; chunk < 5; chunk++) {
    for (const host of ["web-1", "web-2"]) {
      await putChunk(store, folder, { day: 0, host, chunk });
      texts.push(addressOf({ day: 0, host, chunk }));
    }
    assert.equal(await fold(agent, folder), "stored");
  }
  await store.remove(keyOf({ day: 0, host: "web-2", chunk: 3 }), signal);
  assert.equal(await fold(agent, folder), "stored");
  const kept = await contentOf(agent, store, texts);
  assert.equal(kept.chunks, 9);
  assert.deepEqual(kept.found[0], [], "nobody has it");
  assert.equal(kept.found.filter((rows) => rows.length === 1).length, 9);
  await store.remove(manifestKey(DAY), signal);
  const other = await agentOf(store, folder);
  assert.equal(await fold(other, folder), "stored");
  assert.deepEqual(await contentOf(other, store, texts), kept);
});

Deno.test("a host notes what is in a chunk as it stores it: who makes the manifest does not read it", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await host.seal(6);
  class DeafStore extends FolderStore {
    readonly asked: string[] = [];
    override get(...args: Parameters<FolderStore["get"]>) {
      this.asked.push(args[0]);
      return super.get(...args);
    }
  }
  await using store = new DeafStore(folder.join("archive"));
  const agent = await agentOf(store, folder);
  const notes = new UploadNotes({ ...agent.catalog, store, dataDir: host.dataDir });
  await host.archive(store, { notes }).uploadAll(signal);
  assert.equal((await Array.fromAsync(store.list(ENTRIES, signal))).length, 6);
  store.asked.length = 0;
  const without = await agentOf(store, folder, { host: "web-7", index: [] }); // another stream's host
  await without.catalog.keeper.round(signal);
  assert.deepEqual(store.asked.filter((key) => key.startsWith("stream=")), []);
  const noted = await foundKeys(agent, scopeOf());
  assert.equal(noted.length, 6);
  const before = await agent.archive.find(scopeOf(["192.0.2.1"]), signal);
  for (const { key } of await Array.fromAsync(store.list("catalog/", signal))) {
    await store.remove(key, signal);
  }
  const other = await agentOf(store, folder);
  await other.catalog.keeper.round(signal);
  assert.ok(store.asked.some((key) => key.startsWith("stream=")), "now it has to");
  assert.deepEqual(
    (await other.archive.find(scopeOf(["192.0.2.1"]), signal)).chunks,
    before.chunks,
  );
});

Deno.test("an upload of a closed day that is killed anywhere leaves the day listed", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await host.seal(2);
  class KilledStore extends FolderStore {
    left = Infinity;
    override put(...args: Parameters<FolderStore["put"]>) {
      if (this.left-- <= 0) return Promise.reject(new Error("killed"));
      return super.put(...args);
    }
  }
  const reader = new FolderStore(folder.join("archive"));
  const path = host.store.archiveBook.next()?.path ?? "";
  const date = /date=([^/]+)/.exec(path)?.[1] ?? "";
  const place = /^(.*hour=\d\d\/)/.exec(path)?.[1] ?? "";
  const earlier = `${place}web-8.00000000000000ff.parquet`;
  const body = await Deno.readFile(`${host.dataDir}/${path}`);
  await reader.put({ key: earlier, body, sha256: sha256Hex(body) }, signal);
  const agent = await agentOf(reader, folder);
  await agent.catalog.keeper.round(signal); // the day is closed, with that chunk
  for (let puts = 0;; puts++) {
    await using store = new KilledStore(folder.join("archive"));
    store.left = puts;
    const { catalog } = await agentOf(store, folder);
    const notes = new UploadNotes({
      ...catalog,
      store,
      dataDir: host.dataDir,
      clock: () => LATER_MS,
    });
    const killed = new AbortController();
    const wait = () => {
      killed.abort(new Error("killed"));
      return Promise.reject(killed.signal.reason);
    };
    const archive = host.archive(store, { notes, wait });
    const isWhole = await archive.uploadAll(killed.signal).then(() => true, () => false);
    const there =
      (await Array.fromAsync(reader.list(`stream=logs/region=eu/date=${date}/`, signal)))
        .map(({ key }) => key);
    const range = { since: `${date}T00:00:00Z`, until: `${date}T23:59:59Z` };
    assert.deepEqual(await foundKeys(agent, scopeOf([], range)), there, `${puts} puts`);
    if (
      isWhole && archive.condition().backlog.chunks === 0 && archive.condition().failure === null
    ) {
      assert.ok(puts >= 3, `${puts} puts`);
      assert.equal(there.length, 3);
      break;
    }
  }
});

Deno.test("what an operator changes is listed meanwhile and after, and is in no manifest then", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  const agent = await agentOf(store, folder);
  const [before, after] = [{ day: 0 }, { day: 0, chunk: 1 }];
  await putChunk(store, folder, before);
  await agent.catalog.keeper.round(signal);
  const untouched = { day: 1 };
  const only = { until: `${dateOf(1)}T00:00:00Z` };
  await putChunk(store, folder, untouched);
  const late = await agentOf(store, folder);
  await late.catalog.keeper.round(signal);
  const places = [before, untouched].flatMap((chunk) => parseChunkPath(keyOf(chunk)) ?? []);
  await whileChanged({ store, places, id: "e1" }, async (changed) => {
    for (const place of places.slice(0, 1)) changed(place);
    await putChunk(store, folder, after);
    assert.deepEqual(await foundKeys(agent, scopeOf([], only)), [before, after].map(keyOf));
    await store.remove(keyOf(before), signal);
    assert.deepEqual(await foundKeys(agent, scopeOf([], only)), [keyOf(after)]);
    assert.equal(await fold(late, folder), "stored"); // at the worst moment
  }, signal);
  assert.equal(await store.head(manifestKey(DAY), signal), null);
  const other = { ...DAY, date: dateOf(1) };
  assert.ok(await store.head(manifestKey(other), signal), "nothing of that day was changed");
  assert.deepEqual((await late.catalog.changes.read(signal)).all().map(({ date }) => date), [
    DAY.date,
  ]);
  assert.deepEqual(await foundKeys(agent, scopeOf([addressOf(after)], only)), [keyOf(after)]);
  assert.deepEqual(await foundKeys(agent, scopeOf([addressOf(before)], only)), [keyOf(after)]);
  assert.equal(await fold(late, folder), "stored");
  assert.deepEqual(await foundKeys(agent, scopeOf([addressOf(before)], only)), []);
  assert.deepEqual(await foundKeys(agent, scopeOf([addressOf(after)], only)), [keyOf(after)]);
});

Deno.test("a chunk that went is named once, then its day is listed", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  const agent = await agentOf(store, folder);
  const [gone, there] = [{ day: 0 }, { day: 0, host: "web-2" }];
  for (const chunk of [gone, there]) await putChunk(store, folder, chunk);
  await agent.catalog.keeper.round(signal);
  await store.remove(keyOf(gone), signal);
  const scope = scopeOf();
  const { chunks } = await agent.archive.find(scope, signal);
  assert.deepEqual(chunks.map(({ key }) => key), [gone, there].map(keyOf));
  const reader = await agentOf(store, folder, { host: "web-2" });
  await using _reading = reader.archive;
  const references = chunks.map((
    { key, bytes, etag },
  ): [string, number, string] => [key, bytes, etag]);
  await using snapshot = await reader.archive.open(references, scope, signal).source
    .snapshot({ ...scope, tables: ["logs"] });
  assert.deepEqual(snapshot.unread?.map((one) => "key" in one && one.key), [keyOf(gone)]);
  assert.match(snapshot.unread?.[0]?.reason ?? "", /was removed while it was read/);
  await eventually(async () => {
    return (await reader.catalog.own.known(signal)).all().some(({ date }) => date === DAY.date);
  });
  assert.deepEqual(await foundKeys(agent, scope), [keyOf(there)]);
});

Deno.test("texts of a stream's own columns count as questions see them", async () => {
  await using folder = await TempFolder.make();
  const path = folder.join("own.parquet");
  await using engine = await Engine.open();
  await engine.run(`COPY (SELECT TIMESTAMP '2026-11-22 19:00:00' AS ts, column0 AS code,
      CASE column0 WHEN 'x' THEN NULL ELSE '["{\\"code\\":", ["code", "fixed2"], "}"]' END AS layout,
      NULL::VARCHAR AS line_text, 5 AS size
    FROM (VALUES ('5.1'), ('x'), (NULL)) AS v(column0)) TO '${path}' (FORMAT parquet)`);
  const columns = await engine.describe(`SELECT * FROM '${path}'`);
  const place = { stream: "own", region: "eu", host: "a", hour: "2026-11-22T19", chunk: "0" };
  const facts = { rows: 3, firstUs: 0, lastUs: 0, bytes: 1, etag: "", sha256: null };
  await using describer = new ChunkDescriber();
  const damaged = await folder.write("damaged.parquet", "no Parquet");
  const wanted = ["code", "size", "none"];
  await assert.rejects(describer.describe({ place, path: damaged, columns, ...facts }, wanted));
  const [described, again] = await Promise.all(
    [path, path].map((path) => describer.describe({ place, path, columns, ...facts }, wanted)),
  );
  assert.ok(described);
  assert.deepEqual(again, described);
  assert.equal(described.hashes.has("size"), false, "numbers have no texts: any may be in it");
  assert.deepEqual(described.hashes.get("none"), new Float64Array());
  const expected = [hashOf("x"), hashOf("5.10")].sort((a, b) => a - b);
  assert.deepEqual([...described.hashes.get("code") ?? []], expected);
});
