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

Deno.test("a list that comes to a folder while a file takes another's place has one of the two", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.path);
  for (const name of ["a/1", "a/2", "a/4"]) await folder.write(name, name);
  const keys: string[] = [];
  for await (const { key } of store.list("a/", new AbortController().signal)) {
    keys.push(key);
    if (key !== "a/1") continue;
    await folder.write("a/3", "what was in 2");
    await Deno.remove(folder.join("a/2"));
  }
  assert.deepEqual(keys, ["a/1", "a/3", "a/4"]);
});
