/** A data folder that was lost: what the archive has of it is noted once, and read once. */
import assert from "node:assert/strict";
import { isReadAgain } from "../../../../agent/store/recovery/former_folder.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../protocol/archive/object_store.ts";
import type { ListedObject } from "../../../../protocol/archive/object_store.ts";
import { makeHost, Time } from "../../../archive/scene.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { GENERATION, HOUR_MS, START_MS } from "../store/scene.ts";

const { signal } = new AbortController();
const PLACE = { region: "eu", streams: ["logs", "rejects"] };

/** A folder that cannot be listed a few times. */
class FlakyStore extends FolderStore {
  failures = 3;
  lists = 0;

  override async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    this.lists++;
    if (this.failures-- > 0) throw new ObjectStoreError("denied", "Cannot list: denied", "S3 403");
    yield* super.list(prefix, signal);
  }
}

Deno.test("chunks of an earlier data folder are found once, and are gone from this one", async () => {
  await using folder = await TempFolder.make();
  await using objects = new FlakyStore(folder.join("archive"));
  {
    await using host = await makeHost(folder);
    await host.seal(5);
    const archive = host.archive(objects);
    await archive.uploadAll(signal);
    objects.failures = 0;
    await archive.lookForFormer(PLACE, signal);
    assert.equal(host.store.goneUntil(), null); // all of it is of this folder
  }
  await Deno.remove(folder.join("data"), { recursive: true });
  const time = new Time();
  await using host = await makeHost(folder, { clock: time.clock });
  const archive = host.archive(objects, { wait: time.wait });
  objects.failures = 3;
  time.onWait = () =>
    assert.equal(host.store.goneUntil(), new Date(200 * HOUR_MS + START_MS).toISOString());
  await archive.lookForFormer(PLACE, signal);
  assert.equal(time.waitsMs.length, 3);
  const until = new Date(START_MS + 5 * HOUR_MS);
  until.setUTCMinutes(0, 0, 0);
  assert.equal(host.store.goneUntil(), until.toISOString());
  assert.equal(host.store.holdings.statement(true).gone_until, until.toISOString());
  const lists = objects.lists;
  await archive.lookForFormer(PLACE, signal);
  assert.equal(objects.lists, lists, "once for each data folder");
});

Deno.test("lines that were read again are told by their file, and by how far it was read", () => {
  const { id: _, ...file } = { ...GENERATION, device: 1, inode: 2, headSha256: "a", headBytes: 9 };
  const chunk = (more: Partial<typeof file> = {}, start = 100) => ({
    runs: [{ generation: "former", start, end: start + 50 }],
    generations: [{ ...file, ...more, id: "former" }],
  });
  const here = [{ ...file, id: "now", offset: 120 }];
  assert.equal(isReadAgain(here, chunk()), true);
  assert.equal(isReadAgain(here, chunk({}, 120)), false); // not read so far
  assert.equal(isReadAgain(here, chunk({ inode: 3 })), false);
  assert.equal(isReadAgain(here, chunk({ headSha256: "b" })), false); // another file since
  assert.equal(isReadAgain(here, chunk({ headSha256: "b", headBytes: 4 })), true); // it has grown
  assert.equal(isReadAgain([...here, { ...file, id: "former", offset: 500 }], chunk()), false);
  const packed = { ...file, id: "now", offset: 120, inode: 7, contentSha256: "c" };
  assert.equal(isReadAgain([packed], chunk({ contentSha256: "c" })), true);
});
