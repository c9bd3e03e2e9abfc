/** What every object store has to do, whichever it is. */
import assert from "node:assert/strict";
import { hashObject, ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import type { ObjectStore, StoreProblem } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import type { TempFolder } from "./temp_folder.ts";

const KEYS = [
  "stream=a/region=r/date=2026-11-22/hour=00/h.0.parquet",
  "stream=a/region=r/date=2026-11-22/hour=00/h.1.parquet",
  "stream=a/region=r/date=2026-11-22/hour=01/h.0.parquet",
  "stream=a-b/region=r/date=2026-11-22/hour=00/h.0.parquet",
];

/** Puts, replaces, looks at, reads, lists and removes, on an empty store. */
export async function checkObjectStore(store: ObjectStore, folder: TempFolder) {
  const { signal } = new AbortController();
  await checkPut(store, folder, signal);
  await checkGet(store, signal);
  await checkReplace(store, signal);
  for (const key of KEYS) {
    const body = new TextEncoder().encode(key);
    await store.put({ key, body, sha256: sha256Hex(body) }, signal);
  }
  const list = async (prefix: string) => {
    const objects = await Array.fromAsync(store.list(prefix, signal));
    return objects.map(({ key, bytes }) => `${key} ${bytes}`);
  };
  assert.deepEqual(await list("stream=a/"), KEYS.slice(0, 3).map((key) => `${key} ${key.length}`));
  assert.deepEqual(await list("stream=a"), [...KEYS].sort().map((key) => `${key} ${key.length}`));
  assert.deepEqual(await list("stream=none/"), []);
  assert.deepEqual(await store.folders("", signal), ["a/", "stream=a-b/", "stream=a/"]);
  const days = "stream=a/region=r/date=2026-11-22/";
  assert.deepEqual(await store.folders(days, signal), ["hour=00/", "hour=01/"]);
  assert.deepEqual(await store.folders("stream=none/", signal), []);
  const [key = ""] = KEYS;
  const [first] = await Array.fromAsync(store.list(key, signal));
  assert.equal(first?.etag, (await store.head(key, signal))?.etag);
  assert.ok(Math.abs((first?.modifiedMs ?? 0) - Date.now()) < 1_800_000);
  await store.remove(key, signal);
  await store.remove(key, signal);
  assert.equal(await store.head(key, signal), null);
  const ended = AbortSignal.abort(new Error("the end"));
  await assert.rejects(store.head(key, ended), { message: "the end" });
}

async function checkPut(store: ObjectStore, folder: TempFolder, signal: AbortSignal) {
  const body = crypto.getRandomValues(new Uint8Array(60_000));
  const large = new Uint8Array(20_000_000).map((_, i) => i % 251);
  const path = await folder.write("large", large);
  const put = (key: string, of: Uint8Array | { path: string }, sha256: string, isNew = false) =>
    store.put({ key, body: of, sha256, ifNoneMatch: isNew, metadata: { rows: "7" } }, signal);
  assert.equal(await put("a/one", body, sha256Hex(body), true), "stored");
  assert.equal(await put("a/one", large, sha256Hex(large), true), "exists");
  assert.deepEqual(await readObject(store, "a/one", {}, signal), body);
  assert.equal(await put("a/large", { path }, sha256Hex(large), true), "stored");
  assert.equal(await put("a/large", { path }, sha256Hex(large), true), "exists");
  assert.equal(await hashObject(store, "a/large", {}, signal), sha256Hex(large));
  const facts = await store.head("a/large", signal);
  assert.equal(facts?.bytes, large.length);
  if (store.url.startsWith("s3:")) {
    assert.deepEqual(facts.metadata, { rows: "7", sha256: sha256Hex(large) });
    assert.equal(facts.sha256, sha256Hex(large));
  }
  for (const wrong of [body, { path }]) {
    await fails(put("a/wrong", wrong, sha256Hex("other")), "corrupt");
    assert.equal(await store.head("a/wrong", signal), null);
  }
}

/** Only the version that is meant is replaced, whoever comes at the same time. */
async function checkReplace(store: ObjectStore, signal: AbortSignal) {
  const put = (text: string, condition: { ifMatch?: string; ifNoneMatch?: boolean }) => {
    const body = new TextEncoder().encode(text);
    return store.put({ key: "a/version", body, sha256: sha256Hex(body), ...condition }, signal);
  };
  const etag = async () => (await store.head("a/version", signal))?.etag ?? "";
  assert.equal(await put("0", { ifNoneMatch: true }), "stored");
  const first = await etag();
  const texts = ["one", "two", "three", "four"];
  const outcomes = await Promise.all(texts.map((text) => put(text, { ifMatch: first })));
  assert.deepEqual([...outcomes].sort(), ["exists", "exists", "exists", "stored"]);
  const winner = texts[outcomes.indexOf("stored")];
  const now = async () =>
    new TextDecoder().decode(await readObject(store, "a/version", {}, signal));
  assert.equal(await now(), winner);
  const large = new Uint8Array(20_000_000).fill(7);
  const ofLarge = { key: "a/version", body: large, sha256: sha256Hex(large) };
  assert.equal(await store.put({ ...ofLarge, ifMatch: first }, signal), "exists");
  assert.equal(await now(), winner);
  assert.equal(await store.put({ ...ofLarge, ifMatch: await etag() }, signal), "stored");
  const last = await etag();
  await store.remove("a/version", signal);
  assert.equal(await put("late", { ifMatch: last }), "exists");
  assert.equal(await store.head("a/version", signal), null);
}

async function checkGet(store: ObjectStore, signal: AbortSignal) {
  const whole = await readObject(store, "a/large", {}, signal);
  const etag = (await store.head("a/large", signal))?.etag ?? "";
  const range = { start: 11_000_000, end: 11_000_010 };
  const content = await store.get("a/large", { range, ifMatch: etag }, signal);
  assert.equal(content.bytes, whole.length);
  assert.equal(content.etag, etag);
  const blocks = await Array.fromAsync(content.body);
  assert.deepEqual(blocks.flatMap((block) => [...block]), [...whole.slice(range.start, range.end)]);
  await fails(store.get("a/none", {}, signal), "missing");
  const body = new Uint8Array([1]);
  await store.put({ key: "a/large", body, sha256: sha256Hex(body) }, signal);
  await fails(store.get("a/large", { range, ifMatch: etag }, signal), "changed");
}

/** @param problem that the call has to end with */
export async function fails(call: Promise<unknown>, problem: StoreProblem) {
  const error = await call.then(() => null, (error) => error);
  assert.ok(error instanceof ObjectStoreError, `${problem}: ${error}`);
  assert.equal(error.problem, problem);
}
