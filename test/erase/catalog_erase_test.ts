/** The catalog of an archive that rows are erased from: what it knew of them is gone, for good. */
import assert from "node:assert/strict";
import { Archive } from "../../agent/archive/archive.ts";
import { eraseArchives } from "../../orchestrator/archive/erase.ts";
import { CATALOG } from "../../protocol/archive/catalog/catalog_keys.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { copyFolder, TempFolder } from "../harness/temp_folder.ts";
import {
  agentOf,
  countRows,
  foundKeys,
  scopeOf,
  signal,
} from "../unit/agent/archive/catalog/scene.ts";
import { ADDRESS, eraseSigner, erasingHost, hourLines } from "../unit/agent/erase/scene.ts";

Deno.test("a catalog that is made anew resurrects nothing, though old chunks lie there again", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  const path = folder.join("archive");
  const objects = new FolderStore(path);
  await using host = await erasingHost(folder);
  for (const hour of [0, 1, 2]) await host.write(hourLines(hour));
  await host.store.flush();
  await host.store.sealAll();
  await new Archive({
    objects,
    book: host.store.archiveBook,
    verified: (chunk) => host.store.keeper.verifyNow(chunk),
    renew: (chunk) => host.store.keeper.renew(chunk),
    dataDir: host.dataDir,
    host: "web-1",
    everyMs: 3_600_000,
  }).uploadAll(signal);
  const before = folder.join("before");
  await copyFolder(path, before);
  const agent = await agentOf(objects, folder);
  await agent.catalog.keeper.round(signal);
  const catalogKeys = async () =>
    (await Array.fromAsync(objects.list(`${CATALOG}manifests/`, signal))).length;
  assert.ok(await catalogKeys() > 0, "there is a catalog");
  const needle = scopeOf([ADDRESS]);
  assert.deepEqual(await countRows(agent, needle), [{ address: ADDRESS, rows: 21 }]);

  await eraseArchives([objects], { erasure: await sign(), onProgress: () => {} }, signal);
  const holding = async (text: string) => {
    const keys: string[] = [];
    for await (const { key } of objects.list(CATALOG, signal)) {
      const bytes = await Deno.readFile(`${path}/${key}`);
      if (new TextDecoder("latin1").decode(bytes).includes(text)) keys.push(key);
    }
    return keys;
  };
  assert.deepEqual(await holding(ADDRESS), []);
  for (const round of ["listed", "made anew", "made anew beside old chunks"]) {
    const looking = await agentOf(objects, folder);
    if (round !== "listed") {
      if (round.endsWith("old chunks")) {
        await copyFolder(`${before}/stream=logs`, `${path}/stream=logs`);
      }
      await Deno.remove(`${path}/${CATALOG}manifests`, { recursive: true }).catch(() => {});
      await looking.catalog.keeper.round(signal);
      assert.ok(await catalogKeys() > 0, round);
    }
    const later = await agentOf(objects, folder, { host: "web-2" });
    const keys = await foundKeys(later, scopeOf());
    assert.equal(keys.length, 3, round);
    assert.equal(keys.filter((key) => key.includes("_")).length, 2, round);
    assert.deepEqual(await countRows(later, needle), [{ address: ADDRESS, rows: 7 }], round);
    assert.equal((await foundKeys(later, needle)).length, round === "listed" ? 3 : 1, round);
  }
});
