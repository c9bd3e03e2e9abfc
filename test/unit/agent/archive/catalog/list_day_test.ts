/** Days are looked through hour by hour, whatever lies in them and however often a list breaks off. */
import assert from "node:assert/strict";
import { listDay, lookThroughDay } from "../../../../../agent/archive/catalog/list_day.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../../../../protocol/sha256.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

const { signal } = new AbortController();
const DAY = { stream: "logs", region: "eu", date: "2026-11-22" };
const FOLDER = "stream=logs/region=eu/date=2026-11-22/";
const KEYS = [
  "hour=03/web-1.0000000000000001.parquet",
  "hour=03/web-1.0000000000000001_00000002_0123456789ab.parquet",
  "hour=03/web-1/junk",
  "hour=03/web-2.0000000000000002.parquet",
  "hour=04/web-1.0000000000000003.parquet",
  "hour=19/web-1.0000000000000004.parquet",
  "zero",
];
const COUNTING = [1, 3, 4, 5].map((i) => `${FOLDER}${KEYS[i]}`);

/** Breaks off where it is told. */
class TornStore extends FolderStore {
  /** After how many objects each list breaks off. */
  readonly breaks: number[] = [];

  override async *list(prefix: string, signal: AbortSignal) {
    let left = this.breaks.shift() ?? Infinity;
    for await (const object of super.list(prefix, signal)) {
      if (left-- <= 0) throw new ObjectStoreError("truncated", "It ended early", "ended early");
      yield object;
    }
  }
}

Deno.test("every hour comes once, though lists break off, and what is no chunk hides none", async () => {
  await using folder = await TempFolder.make();
  const store = new TornStore(folder.path);
  for (const key of KEYS) {
    const body = new TextEncoder().encode(key);
    await store.put({ key: `${FOLDER}${key}`, body, sha256: sha256Hex(body) }, signal);
  }
  for (const breaks of [[], [0], [2], [4, 4], [5, 1], [6, 6, 6]]) {
    store.breaks.push(...breaks);
    const hours: string[][] = [];
    const take = (chunks: { object: { key: string } }[]) =>
      void hours.push(chunks.map(({ object: { key } }) => key));
    await lookThroughDay(store, DAY, { take, signal });
    assert.deepEqual(hours.flat(), COUNTING, `broke off after ${breaks}`);
    assert.deepEqual(hours.filter((hour) => hour.length > 0).map(({ length }) => length), [
      2,
      1,
      1,
    ]);
  }
  assert.deepEqual((await listDay(store, DAY, signal)).map(({ object }) => object.key), COUNTING);
});
