import assert from "node:assert/strict";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { checkObjectStore } from "../../../harness/object_store.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

Deno.test("a folder is an object store", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.join("archive"));
  await checkObjectStore(store, folder);
  assert.equal(store.url, `file:${folder.join("archive")}`);
});
