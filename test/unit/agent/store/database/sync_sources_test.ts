/** Syncing of log files: that a power cut then takes nothing is shown in test/faults. */
import assert from "node:assert/strict";
import { syncSources } from "../../../../../agent/store/database/sync_sources.ts";
import { newGeneration } from "../../../../../agent/ingest/identity.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

Deno.test("log files are synced whether they are there, replaced, deleted or no file", async () => {
  await using folder = await TempFolder.make();
  const generations = [];
  for (let i = 0; i < 40; i++) {
    const path = await folder.write(`${i}.log`, "a line\n");
    const { dev, ino } = await Deno.stat(path);
    generations.push(newGeneration("logs", { path, device: dev, inode: ino ?? 0 }, 0));
    if (i % 3 === 1) await Deno.remove(path);
    if (i % 6 === 1) await Deno.mkdir(path);
  }
  await syncSources(generations);
  assert.equal(await Deno.readTextFile(folder.join("0.log")), "a line\n");
});
