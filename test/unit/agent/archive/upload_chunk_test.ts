/** What is done where the archive has something else under a chunk's id: nothing is taken for another. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import type { StoredFile } from "../../../../agent/store/database/catalog.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { archivedLines, makeHost, writtenLines } from "../../../archive/scene.ts";
import type { HostScene } from "../../../archive/scene.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { batch, copy, COUNT, HOUR_MS, read, START_MS } from "../store/scene.ts";

const { signal } = new AbortController();

/** Ten lines of one file in one hour: `l00000000` on, or of other bytes; some of them may be dropped. */
async function sealOwn(host: HostScene, { letter = "l", dropped = 0 } = {}): Promise<string[]> {
  const all = batch(0, 10, () => START_MS);
  const lines = Array.from({ length: 10 }, (_, i) => `${letter}${String(i).padStart(8, "0")}`);
  for (const [i, line] of lines.entries()) all.rows.columns.line_text?.set(i, line);
  all.rows.keep((row) => row >= dropped / 2 && row < 10 - dropped / 2);
  await host.store.append(all);
  await host.store.flush();
  await host.store.sealAll();
  return lines.slice(dropped / 2, 10 - dropped / 2);
}

function chunkOf({ dataDir }: HostScene): StoredFile {
  const [chunk, ...others] = readBooks(dataDir).files;
  assert.ok(chunk?.kind === "chunk" && others.length === 0);
  return chunk;
}

/** Opened anew: as after an end, with these files in the data folder. */
async function reopened(folder: TempFolder, files: Record<string, Uint8Array>) {
  for (const [path, content] of Object.entries(files)) {
    await Deno.writeFile(folder.join("data", path), content);
  }
  return await makeHost(folder);
}

Deno.test("other rows under a chunk's id stay in the archive, and the chunk comes beside them", async () => {
  const others = [{ letter: "m" }, { dropped: 2 }, { letter: "n", dropped: 6 }];
  await using shared = await TempFolder.make();
  await using objects = new FolderStore(shared.join("archive"));
  const lines: string[] = [];
  let id: string | null = null;
  for (const form of [{}, ...others]) {
    await using folder = await TempFolder.make();
    let whole: { path: string; content: Uint8Array };
    let renewed: StoredFile;
    {
      await using host = await makeHost(folder);
      lines.push(...await sealOwn(host, form));
      const chunk = chunkOf(host);
      assert.equal(chunk.id, id ??= chunk.id, "they are of the same bytes");
      whole = { path: chunk.path, content: await Deno.readFile(join(host.dataDir, chunk.path)) };
      await host.archive(objects).uploadAll(signal);
      assert.deepEqual(await archivedLines(objects), lines.toSorted());
      renewed = chunkOf(host);
      if (Object.keys(form).length === 0) {
        assert.equal(renewed.id, id);
        continue;
      }
      assert.notEqual(renewed.id, id);
      await assert.rejects(Deno.stat(join(host.dataDir, whole.path)), Deno.errors.NotFound);
      assert.deepEqual(await read(host.store, COUNT), [[chunk.rows, chunk.rows]]);
      assert.equal(host.store.archiveBook.backlog().chunks, 0);
      const until = new Date(START_MS + HOUR_MS).toISOString();
      assert.equal(host.store.goneUntil(), until, "the archive has rows that are not here");
    }
    // A kill may have left the file of before: its rows are there once.
    await using host = await reopened(folder, { [whole.path]: whole.content });
    assert.deepEqual(chunkOf(host), renewed);
    assert.deepEqual(await read(host.store, COUNT), [[renewed.rows, renewed.rows]]);
    await assert.rejects(Deno.stat(join(host.dataDir, whole.path)), Deno.errors.NotFound);
  }
});

Deno.test("a kill before a chunk has its new id: the next attempt gives it the same one", async () => {
  await using shared = await TempFolder.make();
  await using objects = new FolderStore(shared.join("archive"));
  await using folder = await TempFolder.make();
  const clone = folder.join("clone");
  let lines: string[];
  {
    await using other = await makeHost(shared);
    lines = await sealOwn(other);
    await other.archive(objects).uploadAll(signal);
    await using host = await makeHost(folder);
    lines.push(...await sealOwn(host, { letter: "m" }));
  }
  await copy(folder.join("data"), clone);
  let renewed: StoredFile;
  {
    await using host = await makeHost(folder);
    await host.archive(objects).uploadAll(signal);
    renewed = chunkOf(host);
  }
  const content = await Deno.readFile(folder.join("data", renewed.path));
  await Deno.remove(folder.join("data"), { recursive: true });
  await Deno.rename(clone, folder.join("data"));
  await using host = await reopened(folder, { [renewed.path]: content });
  assert.deepEqual(await read(host.store, COUNT), [[10, 10]]);
  await host.archive(objects).uploadAll(signal);
  assert.deepEqual(chunkOf(host), renewed);
  assert.deepEqual(await archivedLines(objects), lines.toSorted());
});

Deno.test("another prefix, and the one of before: each chunk is there once, under its id", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  const [before, between] = ["before", "between"].map((name) => folder.join(name));
  const uploaded = async (path = "") => {
    await using objects = new FolderStore(path);
    const archive = host.archive(objects);
    const files = readBooks(host.dataDir).files.map(({ id }) => id);
    await archive.confirm(files, signal); // retention asks before anything goes
    await archive.uploadAll(signal);
    assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
    assert.deepEqual(readBooks(host.dataDir).files.map(({ id }) => id), files);
  };
  for (const path of [before, between, before]) {
    await host.seal(2);
    await uploaded(path);
  }
});

/** Pages that cannot be read, in a file that ends as it should. */
async function damage(path: string) {
  const bytes = await Deno.readFile(path);
  const tail = new DataView(bytes.buffer).getUint32(bytes.length - 8, true) + 8;
  await Deno.writeFile(path, bytes.fill(0xff, 4, bytes.length - tail));
}

/** Other values, in a whole chunk: as if bits had flipped. */
async function alter(path: string) {
  await using engine = await Engine.open();
  const source = literal(path);
  const { rows: [[text] = []] } = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${source}) WHERE decode(key) = 'logvend'`,
  );
  const altered = literal(`${path}.altered`);
  await engine.run(
    `COPY (SELECT * REPLACE ('x' || line_text AS line_text)
       FROM read_parquet(${source}, hive_partitioning = false))
     TO ${altered} (FORMAT parquet, KV_METADATA { logvend: ${literal(String(text))} })`,
  );
  await Deno.rename(`${path}.altered`, path);
}

for (const [what, spoil] of [["damaged", damage], ["altered", alter]] as const) {
  Deno.test(`an archived chunk that was ${what} meanwhile is replaced by that of the host`, async () => {
    await using folder = await TempFolder.make();
    await using host = await makeHost(folder);
    await using objects = new FolderStore(folder.join("archive"));
    const archive = host.archive(objects);
    await host.seal(1);
    await archive.uploadAll(signal);
    const chunk = chunkOf(host);
    await spoil(join(folder.join("archive"), chunk.path));
    await host.store.keeper.retire({ ageMs: 0, confirm: (ids) => archive.confirm(ids, signal) });
    assert.deepEqual(chunkOf(host), chunk, "the archive has it no more");
    await archive.uploadAll(signal);
    assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
    assert.equal(sha256Hex(await Deno.readFile(folder.join("archive", chunk.path))), chunk.sha256);
    assert.deepEqual(chunkOf(host), chunk);
  });
}
