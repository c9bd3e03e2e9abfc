import assert from "node:assert/strict";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../protocol/archive/object_store.ts";
import type { NewObject } from "../../../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import { ResultManifest } from "../../../../orchestrator/publish/manifest.ts";
import type { ResultFacts } from "../../../../orchestrator/publish/manifest.ts";
import { Publication } from "../../../../orchestrator/publish/publication.ts";
import { coverageOf } from "../../../../orchestrator/fanout/coverage.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const { signal } = new AbortController();

const FACTS: ResultFacts = {
  query_id: "q-7f3a2c",
  id: "7f3a2c00-0000-4000-8000-000000000000",
  operator: "ed25519:x",
  sql: "SELECT 1",
  selector: "",
  source: "archive",
  asked: { since: null, until: null, implied: false },
  range: { since: null, until: null },
  now: "2026-11-29T00:00:00Z",
  mode: "rows",
  elapsed_ms: 1,
  columns: [{ name: "n", type: "BIGINT" }],
  complete: true,
  coverage: coverageOf([], []),
};

class Scene implements AsyncDisposable {
  readonly store: FolderStore;
  readonly waitsMs: number[] = [];

  private constructor(private readonly folder: TempFolder) {
    this.store = new FolderStore(folder.join("result"));
  }

  static async make(): Promise<Scene> {
    return new Scene(await TempFolder.make());
  }

  begin(replace = false): Promise<Publication> {
    const wait = (ms: number) => Promise.resolve(void this.waitsMs.push(ms));
    return Publication.begin({ store: this.store, replace, now: Date.now, signal, wait });
  }

  async add(publication: Publication, text: string) {
    const path = await this.folder.write("file", text);
    const facts = { rows: 1, bytes: text.length, sha256: sha256Hex(text) };
    await publication.add({ path, ...facts });
  }

  async publish(text: string, replace = false) {
    await using publication = await this.begin(replace);
    await this.add(publication, text);
    return await publication.finish(FACTS);
  }

  /** Names of what is there; of files without what is their own. */
  async names(): Promise<string[]> {
    const objects = await Array.fromAsync(this.store.list("", signal));
    return objects.map(({ key }) => key.replace(/^[0-9a-f]{8}-/, "")).sort();
  }

  async manifest(): Promise<ResultManifest> {
    const text = await Deno.readTextFile(this.folder.join("result", "_manifest.json"));
    return ResultManifest.parse(JSON.parse(text));
  }

  async [Symbol.asyncDispose]() {
    await this.folder[Symbol.asyncDispose]();
  }
}

const WHOLE = ["00000.parquet", "_manifest.json"];

Deno.test("a result is its files and its manifest; a place that is taken is refused", async () => {
  await using scene = await Scene.make();
  await scene.publish("one");
  assert.deepEqual(await scene.names(), WHOLE);
  const { rows, bytes, files: [file], query_id } = await scene.manifest();
  assert.deepEqual([rows, bytes, file?.sha256, query_id], [1, 3, sha256Hex("one"), "q-7f3a2c"]);
  await assert.rejects(scene.publish("two"), /q-7f3a2c was published there at .* or --replace it/);
  assert.deepEqual(await scene.manifest().then(({ files }) => files[0]?.sha256), file?.sha256);
  await scene.publish("two", true);
  assert.deepEqual(await scene.names(), WHOLE, "the older one is gone");
  assert.equal((await scene.manifest()).files[0]?.sha256, sha256Hex("two"));
});

Deno.test("what ends in the middle leaves nothing that looks published", async () => {
  await using scene = await Scene.make();
  {
    await using publication = await scene.begin();
    await scene.add(publication, "one");
  }
  assert.deepEqual(await scene.names(), [], "it was thrown away");
  const killed = await scene.begin();
  await scene.add(killed, "one"); // and then no more is heard of it
  await assert.rejects(scene.publish("two"), /began .*Z and has not ended: wait for it, or take/);
  {
    await using second = await scene.begin(true);
    await scene.add(second, "two");
    await assert.rejects(killed.finish(FACTS), /Another publication has begun/);
    await killed[Symbol.asyncDispose](); // it takes nothing with it that is not its own
    await second.finish(FACTS);
  }
  assert.deepEqual(await scene.names(), WHOLE);
  assert.equal((await scene.manifest()).files[0]?.sha256, sha256Hex("two"));
});

Deno.test("a result needs a place of its own", async () => {
  await using scene = await Scene.make();
  const body = new TextEncoder().encode("mine");
  await scene.store.put({ key: "a.parquet", body, sha256: sha256Hex(body) }, signal);
  for (const replace of [false, true]) {
    await assert.rejects(scene.publish("x", replace), /holds other things \(a\.parquet\)/);
  }
  assert.deepEqual(await scene.names(), ["a.parquet"]);
});

Deno.test("of two that begin at once one goes on", async () => {
  await using scene = await Scene.make();
  const begun = await Promise.allSettled([scene.begin(), scene.begin()]);
  const [loser] = begun.filter(({ status }) => status === "rejected");
  assert.match(String(loser?.status === "rejected" && loser.reason), /has not ended/);
  assert.equal(begun.filter(({ status }) => status === "fulfilled").length, 1);
});

Deno.test("a store that is busy is waited for; a lost reply is no other's object", async () => {
  await using scene = await Scene.make();
  const put = scene.store.put.bind(scene.store);
  let failures = 0;
  scene.store.put = async (object: NewObject) => {
    const outcome = await put(object, signal);
    if (failures++ % 2 === 1) return outcome;
    throw new ObjectStoreError("unreachable", "No answer", "no answer");
  };
  await scene.publish("one");
  assert.deepEqual(await scene.names(), WHOLE);
  assert.equal(scene.waitsMs.length, 3, "the claim, the file, the manifest");
});

Deno.test("a manifest of which no reply says whether it came keeps its files", async () => {
  for (const comes of [true, false]) {
    await using scene = await Scene.make();
    await scene.publish("old");
    const put = scene.store.put.bind(scene.store);
    scene.store.put = async (object: NewObject) => {
      if (object.key !== "_manifest.json") return await put(object, signal);
      if (comes) await put(object, signal);
      throw new ObjectStoreError("unreachable", "No answer", "no answer");
    };
    await assert.rejects(
      scene.publish("new", true),
      /came to file:.* is not known: its files stay/,
    );
    const { files: [file] } = await scene.manifest();
    assert.equal(file?.sha256, sha256Hex(comes ? "new" : "old"));
    assert.ok(await scene.store.head(file.key, signal), "what the manifest names is there");
    scene.store.put = put;
    await scene.publish("next", true);
    assert.deepEqual(await scene.names(), WHOLE);
  }
});

Deno.test("a manifest that is refused leaves nothing", async () => {
  await using scene = await Scene.make();
  const put = scene.store.put.bind(scene.store);
  scene.store.put = (object: NewObject) =>
    object.key === "_manifest.json"
      ? Promise.reject(new ObjectStoreError("denied", "No right", "denied"))
      : put(object, signal);
  await assert.rejects(scene.publish("one"), /No right/);
  assert.deepEqual(await scene.names(), []);
});

Deno.test("of two that take the place at once one is whole, and the other is told", async () => {
  for (const isNew of [true, false]) {
    await using scene = await Scene.make();
    if (!isNew) await scene.publish("old");
    const put = scene.store.put.bind(scene.store);
    let meanwhile: Promise<unknown> | null = null;
    scene.store.put = async (object: NewObject) => {
      if (object.key === "_manifest.json" && meanwhile === null) {
        meanwhile = scene.publish("second", true); // after the first has looked whose the place is
        await meanwhile;
      }
      return await put(object, signal);
    };
    await assert.rejects(
      scene.publish("first", true),
      /Another publication was faster: q-7f3a2c was published there at .*: publish once more/,
    );
    const { files } = await scene.manifest();
    assert.deepEqual(files.map(({ sha256 }) => sha256), [sha256Hex("second")]);
    assert.ok(
      await scene.store.head(files[0]?.key ?? "", signal),
      "what the manifest names is there",
    );
    assert.deepEqual(await scene.names(), WHOLE);
  }
});

Deno.test("one whose place was taken, and that ended first, keeps it: the later one is told", async () => {
  await using scene = await Scene.make();
  await scene.publish("old");
  await using first = await scene.begin(true);
  await scene.add(first, "first");
  const put = scene.store.put.bind(scene.store);
  const taken: Publication[] = [];
  scene.store.put = async (object: NewObject) => {
    if (object.key === "_manifest.json" && taken.length === 0) taken.push(await scene.begin(true));
    return await put(object, signal);
  };
  await first.finish(FACTS);
  const [second] = taken;
  assert.ok(second);
  await scene.add(second, "second");
  await assert.rejects(second.finish(FACTS), /Another publication/);
  await second[Symbol.asyncDispose]();
  assert.equal((await scene.manifest()).files[0]?.sha256, sha256Hex("first"));
  assert.deepEqual(await scene.names(), WHOLE);
});
