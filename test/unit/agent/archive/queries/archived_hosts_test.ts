/** archived_hosts.ts: whom an archive has chunks of, by manifests and by lists, and what that takes. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { manifestKey } from "../../../../../protocol/archive/catalog/catalog_keys.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../../protocol/archive/object_store.ts";
import { REJECTS } from "../../../../../protocol/schema/streams.ts";
import type { ArchivedHost } from "../../../../../protocol/wire/archived_hosts.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { agentOf, dateOf, keyOf, LATER_MS, putChunk, signal } from "../catalog/scene.ts";
import type { SceneChunk } from "../catalog/scene.ts";

const HOUR_MS = 3_600_000;

/** Remembers which chunks' folders were listed, and can fail. */
class Store extends FolderStore {
  readonly lists: string[] = [];
  isDown = false;

  override list(prefix: string, signal: AbortSignal) {
    if (this.isDown) throw new ObjectStoreError("denied", "Cannot list: denied", "denied");
    if (prefix.startsWith("stream=")) this.lists.push(prefix);
    return super.list(prefix, signal);
  }

  override folders(prefix: string, signal: AbortSignal) {
    if (this.isDown) throw new ObjectStoreError("denied", "Cannot list: denied", "denied");
    return super.folders(prefix, signal);
  }
}

async function scene(chunks: readonly SceneChunk[]) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const store = new Store(folder.join("archive"));
  for (const chunk of chunks) await putChunk(store, folder, chunk);
  const owned = stack.move();
  return {
    ...{ folder, store },
    put: (chunk: SceneChunk) => putChunk(store, folder, chunk),
    /** As an agent that has not looked before. */
    async hosts(clock = () => LATER_MS): Promise<ArchivedHost[]> {
      const { archive } = await agentOf(store, folder, { clock });
      await using _ = archive;
      return (await archive.hosts()).toSorted(([a], [b]) => a < b ? -1 : 1);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The hour 19 of a day. */
function hourOf(day: number): number {
  return Date.parse(`${dateOf(day)}T19:00:00Z`) / HOUR_MS;
}

const DAYS = [{ day: 0 }, { day: 1, host: "web-2" }, { day: 4 }];
const HOSTS: ArchivedHost[] = [
  ["web-1", "logs", hourOf(0), hourOf(4) + 1],
  ["web-2", "logs", hourOf(1), hourOf(1) + 1],
];

Deno.test("hosts are known by lists alone; with manifests no day that is over is listed", async () => {
  await using here = await scene(DAYS);
  assert.deepEqual(await here.hosts(), HOSTS);
  assert.equal(here.store.lists.splice(0).length, DAYS.length);
  const { catalog } = await agentOf(here.store, here.folder);
  await catalog.keeper.round(signal);
  here.store.lists.splice(0);
  assert.deepEqual(await here.hosts(), HOSTS);
  assert.deepEqual(here.store.lists, []);
  const manifest = { stream: "logs", region: "eu", date: dateOf(1) };
  const path = here.folder.join("archive", manifestKey(manifest));
  await Deno.writeTextFile(path, "no manifest");
  assert.deepEqual(await here.hosts(), HOSTS);
  assert.deepEqual(here.store.lists, [`stream=logs/region=eu/date=${dateOf(1)}/`]);
});

Deno.test("hosts of other streams are told with these, of other regions not; who was erased is gone", async () => {
  await using here = await scene(DAYS);
  const from = here.folder.join("archive", keyOf({ day: 0 }));
  const copy = async (change: (key: string) => string) => {
    const key = change(keyOf({ day: 0 }));
    const path = here.folder.join("archive", key);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(from, path);
  };
  await copy((key) => key.replace("stream=logs", `stream=${REJECTS}`).replace("web-1", "web-3"));
  await copy((key) => key.replace("region=eu", "region=us").replace("web-1", "web-4"));
  await copy((key) => key.replace("stream=logs", "stream=No stream"));
  await copy((key) => `stream=logs/region=eu/date=${dateOf(0)}/hour=19/${key.length}.txt`);
  const rejects: ArchivedHost = ["web-3", REJECTS, hourOf(0), hourOf(0) + 1];
  assert.deepEqual(await here.hosts(), [...HOSTS, rejects]);
  await Deno.remove(here.folder.join("archive", keyOf({ day: 1, host: "web-2" })));
  assert.deepEqual(await here.hosts(), [HOSTS[0], rejects]);
});

Deno.test("a store that refuses is an error; who asks meanwhile is told the same, and nothing is looked at twice", async () => {
  await using here = await scene(DAYS);
  const { archive } = await agentOf(here.store, here.folder);
  await using _ = archive;
  here.store.isDown = true;
  await assert.rejects(archive.hosts(), /Cannot list: denied/);
  here.store.isDown = false;
  const { archive: other } = await agentOf(here.store, here.folder);
  await using _other = other;
  const [first, second] = await Promise.all([other.hosts(), other.hosts()]);
  assert.equal(first, second);
  assert.equal(here.store.lists.length, DAYS.length); // once
});
