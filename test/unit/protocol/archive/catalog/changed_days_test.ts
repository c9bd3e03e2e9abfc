import assert from "node:assert/strict";
import {
  ChangedDays,
  ChangesReader,
  isClosed,
  isSaid,
} from "../../../../../protocol/archive/catalog/changed_days.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

const { signal } = new AbortController();
const [A, B] = [{ stream: "logs", date: "2026-11-22" }, { stream: "logs", date: "2026-11-23" }];

Deno.test("what is said of a day holds until a manifest knows its token, and open days never do", async () => {
  await using folder = await TempFolder.make();
  await using store = new FolderStore(folder.path);
  const [one, two] = ["host=a", "host=b"].map((writer) => new ChangedDays(store, "eu", writer));
  assert.ok(one && two);
  const reader = new ChangesReader(store, "eu");
  const known = async () => await reader.read(signal);
  assert.ok((await known()).areKnown(A, {}));
  await one.open([A, B], signal);
  assert.equal((await known()).areKnown(A, (await known()).tokens(A)), false, "it is open");
  await one.close(signal);
  const tokens = (await known()).tokens(A);
  assert.deepEqual(Object.keys(tokens), ["host=a"]);
  assert.ok((await known()).areKnown(A, tokens));
  assert.equal((await known()).areKnown(B, tokens), false, "each day has its own");
  await Promise.all([two.open([A], signal), two.distrust([B], signal), two.close(signal)]);
  assert.equal((await known()).areKnown(A, tokens), false);
  const both = (await known()).tokens(A);
  assert.ok((await known()).areKnown(A, both));
  await one.open([A], signal);
  await one.close(signal);
  assert.equal((await known()).areKnown(A, both), false, "another token after every change");
  await one.open([B], signal);
  await one.forget([A, B], signal);
  const again = new ChangedDays(store, "eu", "host=a");
  assert.deepEqual((await again.known(signal)).all(), [B], "what is open is not forgotten");
  assert.equal((await new ChangesReader(store, "us").read(signal)).all().length, 0);
});

Deno.test("who stores says so long before anybody takes a day for closed", () => {
  const ms = (text: string) => Date.parse(text);
  assert.equal(isSaid("2026-11-22", ms("2026-11-23T23:59:59Z")), false);
  assert.equal(isSaid("2026-11-22", ms("2026-11-24T00:00:01Z")), true);
  assert.equal(isClosed("2026-11-22", ms("2026-11-24T23:59:59Z")), false);
  assert.equal(isClosed("2026-11-22", ms("2026-11-25T00:00:01Z")), true);
});
