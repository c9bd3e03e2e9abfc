/** An archive in a folder, asked for its chunks and read through its own references. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { ArchivedChunks } from "../../../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../../../agent/archive/reads/chunk_cache.ts";
import type { ArchiveScope } from "../../../../../agent/store/query_archive.ts";
import { wholeHistory } from "../../../../../agent/query/whole_history.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { withoutRows } from "../../../../../protocol/chunk/chunk_id.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { testCatalog } from "../../../../harness/catalog.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { FileStore } from "../../query/logs.ts";
import { GROUP_ROWS, writeChunk } from "../reads/objects.ts";

const NEED = {
  columns: [{ name: "status", type: "INTEGER" }],
  values: {},
  countsOnly: false,
};
const SCOPE: ArchiveScope = {
  selector: "",
  needs: { logs: NEED },
  since: null,
  until: null,
  hosts: null,
  regions: null,
};
const REQUEST = { tables: ["logs"], since: null, until: null, needs: { logs: NEED } };
const never = new AbortController().signal;

function keyOf(hour: number, host = "web-1", region = "eu"): string {
  const chunk = hour.toString(16).padStart(16, "0");
  return chunkPath({ stream: "logs", region, host, hour: `2026-11-22T${hour}`, chunk });
}

async function scene(keys: readonly string[]) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const chunk = folder.join("chunk.parquet");
  await writeChunk(chunk, { rows: GROUP_ROWS });
  const pathOf = (key: string) => folder.join("archive", key);
  for (const key of keys) {
    await Deno.mkdir(dirname(pathOf(key)), { recursive: true });
    await Deno.copyFile(chunk, pathOf(key));
  }
  const cache = await ChunkCache.open({ folder: folder.join("cache"), quotaBytes: 1e9 });
  const archive = stack.use(
    new ArchivedChunks({
      catalog: testCatalog(new FolderStore(folder.join("archive")), cache),
      self: { host: "web-1", region: "eu", labels: {} },
    }),
  );
  const owned = stack.move();
  return { archive, pathOf, chunk, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const references = (list: readonly { key: string; bytes: number; etag: string }[]) =>
  list.map(({ key, bytes, etag }): [string, number, string] => [key, bytes, etag]);

Deno.test("what is listed is the region's, of the range, and no other object", async () => {
  const keys = [keyOf(18), keyOf(19), keyOf(19, "web-2"), keyOf(19, "web-9", "us")];
  await using here = await scene([...keys, "stream=logs/region=eu/notes.txt"]);
  const list = async (scope: Partial<ArchiveScope> = {}) =>
    (await here.archive.find({ ...SCOPE, ...scope }, never)).chunks.map(({ key }) => key);
  assert.deepEqual(await list(), keys.slice(0, 3));
  assert.deepEqual(await list({ since: "2026-11-22T19:30:00Z" }), keys.slice(1, 3));
  assert.deepEqual(await list({ since: "2026-11-22T18:30:00Z", until: "2026-11-22T19:00:00Z" }), [
    keyOf(18),
  ]);
  assert.deepEqual(await list({ since: "2026-01-01T00:00:00Z", hosts: ["web-2"] }), [
    keyOf(19, "web-2"),
  ]);
  assert.deepEqual(
    await list({ since: "2026-11-23T00:00:00Z", until: "2026-11-24T00:00:00Z" }),
    [],
  );
});

Deno.test("an agent reads no chunk that was not signed for, whoever asks", async () => {
  await using here = await scene([keyOf(18), keyOf(18, "web-2")]);
  const all = references((await here.archive.find(SCOPE, never)).chunks);
  const open = (scope: Partial<ArchiveScope>) =>
    here.archive.open(all, { ...SCOPE, ...scope }, never);
  assert.throws(() => open({ selector: "host = web-1" }), /web-2.* is not of what was asked/);
  assert.throws(() => open({ until: "2026-11-22T18:00:00Z" }), /not of what was asked/);
  await using snapshot = await open({}).source.snapshot(REQUEST);
  assert.equal(snapshot.tables.get("logs")?.rows, 2 * GROUP_ROWS);
  assert.equal(snapshot.archive?.chunks, 2);
});

Deno.test("a chunk that is replaced or removed after it was listed is named, others are read", async () => {
  await using here = await scene([keyOf(18), keyOf(19), keyOf(20)]);
  const all = references((await here.archive.find(SCOPE, never)).chunks);
  await Deno.copyFile(here.chunk, here.pathOf(keyOf(18)));
  await Deno.utime(here.pathOf(keyOf(18)), new Date(), new Date(1_000));
  await Deno.remove(here.pathOf(keyOf(19)));
  await using snapshot = await here.archive.open(all, SCOPE, never).source.snapshot(REQUEST);
  assert.deepEqual(snapshot.unread, [
    { key: keyOf(18), reason: "it was replaced while it was read: ask again" },
    { key: keyOf(19), reason: "it was removed while it was read: ask again" },
  ]);
  assert.equal(snapshot.tables.get("logs")?.rows, GROUP_ROWS); // of hour 20
});

Deno.test("a host adds what it holds no more, and each chunk once", async () => {
  await using here = await scene([keyOf(18), keyOf(19)]);
  const store = new FileStore(here.chunk, GROUP_ROWS);
  const held = await store.snapshot(REQUEST);
  const source = wholeHistory({
    store: {
      tables: () => store.tables(),
      snapshot: () => {
        const logs = {
          files: [here.chunk],
          rows: GROUP_ROWS,
          bytes: 1,
          chunkIds: ["0".repeat(14) + "12"],
        };
        return Promise.resolve({ ...held, tables: new Map([["logs", logs]]) });
      },
    },
    archive: here.archive,
    scope: { ...SCOPE, selector: "host = web-1" },
    signal: never,
    archiveMs: 60_000,
  });
  await using snapshot = await source.snapshot(REQUEST);
  const logs = snapshot.tables.get("logs");
  assert.equal(snapshot.archive?.chunks, 1); // 0x12 is the chunk of hour 18
  assert.equal(logs?.rows, 2 * GROUP_ROWS);
  assert.equal((logs?.files.length ?? 0) + (logs?.archived?.[0]?.files.length ?? 0), 2);
});

Deno.test("of a chunk that rows were erased from the last is listed, whichever others are there still", async () => {
  const place = { stream: "logs", region: "eu", host: "web-1", hour: "2026-11-22T19" };
  const chunk = "0123456789abcdef";
  const once = withoutRows(chunk, { rows: 1, digest: 5n });
  const twice = withoutRows(once, { rows: 2, digest: 9n });
  const keys = [chunk, twice, once].map((id) => chunkPath({ ...place, chunk: id }));
  await using here = await scene([...keys, keyOf(20)]);
  const { chunks: listed } = await here.archive.find(SCOPE, never);
  assert.deepEqual(listed.map(({ key }) => key), [keys[1], keyOf(20)]);
  const held = new FileStore(here.chunk, GROUP_ROWS);
  const heldToo = {
    tables: () => held.tables(),
    async snapshot(request: Parameters<typeof held.snapshot>[0]) {
      const snapshot = await held.snapshot(request);
      const table = snapshot.tables.get("logs");
      assert.ok(table !== undefined);
      table.chunkIds = [chunk]; // erased in the archive, and not here yet
      return snapshot;
    },
  };
  const { archive } = here;
  const history = wholeHistory({
    store: heldToo,
    archive,
    scope: SCOPE,
    signal: never,
    archiveMs: 60_000,
  });
  await using snapshot = await history.snapshot(REQUEST);
  assert.equal(snapshot.tables.get("logs")?.rows, 2 * GROUP_ROWS, "each origin counts once");
});
