import assert from "node:assert/strict";
import { ArchivedErasures } from "../../../../agent/archive/archived_erasures.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../protocol/archive/object_store.ts";
import { erasureKey } from "../../../../protocol/signing/erasure.ts";
import type { ErasureRecord } from "../../../../protocol/signing/erasure.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { eraseSigner } from "../erase/scene.ts";

const { signal } = new AbortController();

Deno.test("each record of the archive is taken, again while it is new; what is none, or refused, does not stop uploads", async () => {
  await using folder = await TempFolder.make();
  await using objects = new FolderStore(folder.path);
  const { sign } = await eraseSigner();
  const { id, record } = await sign();
  await folder.write(erasureKey(id), JSON.stringify(record));
  await folder.write("erasures/mine.txt", "no record");
  await folder.write("erasures/z.json", JSON.stringify({ where: "", token: "refused" }));
  const taken: ErasureRecord[] = [];
  let nowMs = Date.now();
  const erasures = new ArchivedErasures(objects, (record) => {
    if (record.token === "refused") throw new LogvendError("not_permitted", "not signed");
    taken.push(record);
    return Promise.resolve();
  }, () => nowMs);
  await erasures.look(signal);
  await erasures.look(signal);
  assert.deepEqual(taken, [record]);
  nowMs += 120_000;
  await erasures.look(signal);
  assert.deepEqual(taken, [record, record], "caches may have been filled again");
  nowMs += 3 * 86_400_000;
  await erasures.look(signal);
  assert.equal(taken.length, 2);
  nowMs -= 3 * 86_400_000; // what it was is held no more
  await erasures.look(signal);
  assert.equal(taken.length, 2);
  await Deno.remove(folder.join(erasureKey(id)));
  await erasures.look(signal);
  await folder.write(erasureKey(id), JSON.stringify(record));
  await erasures.look(signal);
  assert.equal(taken.length, 3, "what went and is there again is new");
});

Deno.test("an agent that may not look for erasures goes on; a store that is away is another matter", async () => {
  await using folder = await TempFolder.make();
  class Refusing extends FolderStore {
    constructor(private readonly problem: "denied" | "busy") {
      super(folder.path);
    }
    override list(): AsyncGenerator<never> {
      throw new ObjectStoreError(this.problem, `it is ${this.problem}`, "S3");
    }
  }
  const take = () => Promise.reject(new Error("there is none"));
  await new ArchivedErasures(new Refusing("denied"), take).look(signal);
  await assert.rejects(new ArchivedErasures(new Refusing("busy"), take).look(signal), /it is busy/);
});

Deno.test("a record that cannot be taken now holds uploads back, and is taken as soon as it can be", async () => {
  await using folder = await TempFolder.make();
  await using objects = new FolderStore(folder.path);
  const { sign } = await eraseSigner();
  const { id, record } = await sign();
  await folder.write(erasureKey(id), JSON.stringify(record));
  let isFull = true;
  const taken: ErasureRecord[] = [];
  const erasures = new ArchivedErasures(objects, (record) => {
    if (isFull) throw new Error("the disk is full");
    taken.push(record);
    return Promise.resolve();
  });
  await assert.rejects(erasures.look(signal), /the disk is full/);
  await assert.rejects(erasures.look(signal), /the disk is full/);
  isFull = false;
  await erasures.look(signal);
  assert.deepEqual(taken, [record]);
});
