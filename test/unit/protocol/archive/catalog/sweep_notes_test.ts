/** What operators' commands have said of days goes once it is of no use any more, and never before. */
import assert from "node:assert/strict";
import {
  changedFolder,
  manifestKey,
} from "../../../../../protocol/archive/catalog/catalog_keys.ts";
import { whileChanged } from "../../../../../protocol/archive/catalog/while_changed.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { parseChunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { agentOf, dateOf, keyOf, putChunk, signal } from "../../../agent/archive/catalog/scene.ts";

const LATER_MS = Date.now() + 2 * 86_400_000;
const [FIRST, SECOND] = [{ day: 0 }, { day: 1 }];

async function scene() {
  const folder = await TempFolder.make();
  const store = new FolderStore(folder.join("archive"));
  for (const chunk of [FIRST, SECOND]) await putChunk(store, folder, chunk);
  const agent = await agentOf(store, folder);
  return {
    store,
    round: () => agent.catalog.keeper.round(signal),
    /** An operator's command that replaces the one chunk. */
    async change(id: string, chunk: { day: number }, { nowMs = LATER_MS, isKilled = false } = {}) {
      const places = [parseChunkPath(keyOf(chunk)) ?? []].flat();
      const killed = new Error("killed");
      await whileChanged({ store, places, id, nowMs }, (changed) => {
        for (const place of places) changed(place);
        return isKilled ? Promise.reject(killed) : Promise.resolve();
      }, signal).catch((error) => {
        if (error !== killed) throw error;
      });
    },
    async notes() {
      const folder = changedFolder("eu");
      const all = await Array.fromAsync(store.list(folder, signal));
      return all.map(({ key }) => key.slice(folder.length)).filter((key) => key.startsWith("op"));
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

Deno.test("notes of commands go with a later command, once manifests know of all their days", async () => {
  await using here = await scene();
  await here.change("e1", FIRST);
  await here.change("e2", SECOND);
  assert.deepEqual(await here.notes(), ["operator=e1", "operator=e2"], "there is no manifest");
  await here.round();
  await here.change("e3", SECOND, { nowMs: Date.now() });
  assert.deepEqual(await here.notes(), ["operator=e1", "operator=e2", "operator=e3"], "too new");
  await here.change("e4", SECOND);
  assert.deepEqual(await here.notes(), ["operator=e2", "operator=e3", "operator=e4"]);
  await here.round();
  await here.change("e5", FIRST);
  assert.deepEqual(await here.notes(), ["operator=e5"]);
});

Deno.test("the note of a command that was killed stays until it has been resumed", async () => {
  await using here = await scene();
  await here.change("e1", FIRST, { isKilled: true });
  await here.round();
  await here.change("e2", SECOND);
  assert.deepEqual(await here.notes(), ["operator=e1", "operator=e2"]);
  await here.change("e1", FIRST);
  await here.round();
  await here.change("e3", SECOND);
  assert.deepEqual(await here.notes(), ["operator=e2", "operator=e3"]);
});

Deno.test("a manifest that cannot be read leaves the note where it is, and the command ends well", async () => {
  await using here = await scene();
  await here.change("e1", FIRST);
  await here.round();
  const key = manifestKey({ stream: "logs", region: "eu", date: dateOf(0) });
  await Deno.writeTextFile(`${here.store.url.slice("file:".length)}/${key}`, "no manifest at all");
  await here.change("e2", SECOND);
  assert.deepEqual(await here.notes(), ["operator=e1", "operator=e2"]);
});
