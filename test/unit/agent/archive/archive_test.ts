import assert from "node:assert/strict";
import { join } from "node:path";
import { lateness } from "../../../../agent/archive/lateness.ts";
import { archiveStats } from "../../../../agent/archive/condition.ts";
import { nextMoment } from "../../../../agent/archive/schedule.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../../../protocol/archive/object_store.ts";
import type { NewObject } from "../../../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { archivedLines, makeHost, Time, writtenLines } from "../../../archive/scene.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { HOUR_MS, START_MS } from "../store/scene.ts";

const { signal } = new AbortController();

/** A folder that is away while it is told so. */
class AwayStore extends FolderStore {
  isAway = false;
  puts = 0;

  override async head(key: string, signal: AbortSignal) {
    if (this.isAway) throw new ObjectStoreError("unreachable", "Cannot look: away", "no answer");
    return await super.head(key, signal);
  }

  override async put(object: NewObject, signal: AbortSignal) {
    this.puts++;
    return await super.put(object, signal);
  }
}

Deno.test("a store that is away for 72 h is asked again and again, then has every chunk once", async () => {
  await using folder = await TempFolder.make();
  const time = new Time();
  await using host = await makeHost(folder, { clock: time.clock });
  await host.seal(72);
  await using objects = new AwayStore(folder.join("archive"));
  objects.isAway = true;
  const archive = host.archive(objects, { wait: time.wait });
  const startMs = time.nowMs;
  let late: string | null = null;
  time.onWait = () => {
    if (time.nowMs - startMs < 72 * HOUR_MS) return;
    late ??= lateness(archive.condition(), { everyMs: HOUR_MS, nowMs: time.nowMs });
    objects.isAway = false;
  };
  await archive.uploadAll(signal);
  assert.ok(time.waitsMs.every((ms) => ms <= 300_000), "a store that is back is soon noticed");
  const [tries, least] = [time.waitsMs.length, 72 * HOUR_MS / 300_000];
  assert.ok(tries > least && tries < 5 * least, `${tries} attempts`);
  assert.match(
    late ?? "",
    /^72 chunks \(.*\) wait for the archive, the oldest for 3 d: Cannot look: away$/,
  );
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
  assert.equal(objects.puts, 72);
  assert.deepEqual(archiveStats(archive.condition()), {
    waiting_chunks: 0,
    waiting_bytes: 0,
    failure: null,
    failing_since: null,
    archived_to: new Date(START_MS + 72 * HOUR_MS).toISOString(),
  });
});

Deno.test("a host uploads at its own moment of every period, until it is ended", async () => {
  await using folder = await TempFolder.make();
  const time = new Time();
  await using host = await makeHost(folder, { clock: time.clock });
  await using objects = new AwayStore(folder.join("archive"));
  await host.seal(1);
  const archive = host.archive(objects, { wait: time.wait });
  const end = new AbortController();
  const moments: number[] = [];
  time.onWait = () => {
    assert.equal(objects.puts, moments.length === 0 ? 0 : 1, "not before its moment, and once");
    moments.push(time.nowMs);
    if (moments.length === 3) end.abort();
  };
  await archive.run(end.signal);
  const [first = 0, ...later] = moments;
  assert.equal(nextMoment("web-1", HOUR_MS, first - 1), first);
  assert.deepEqual(later, [first + HOUR_MS, first + 2 * HOUR_MS]);
});

Deno.test("while the store is away, its failure and the backlog are said", async () => {
  await using folder = await TempFolder.make();
  const time = new Time();
  await using host = await makeHost(folder, { clock: time.clock });
  await host.seal(2);
  await using objects = new AwayStore(folder.join("archive"));
  objects.isAway = true;
  const archive = host.archive(objects, { wait: time.wait });
  const end = new AbortController();
  time.onWait = () => {
    if (time.waitsMs.length > 5) end.abort();
  };
  await assert.rejects(archive.uploadAll(end.signal), { name: "AbortError" });
  const { failure, failing_since, waiting_chunks, archived_to } = archiveStats(archive.condition());
  assert.deepEqual([failure, waiting_chunks, archived_to], ["no answer", 2, null]);
  assert.ok(Date.parse(failing_since ?? "") >= START_MS + 200 * HOUR_MS);
});

Deno.test("retention removes what the archive has, and nothing else; the policy may say otherwise", async () => {
  for (const keepsUnarchived of [true, false]) {
    await using folder = await TempFolder.make();
    await using host = await makeHost(folder, { keepsUnarchived });
    await using objects = new AwayStore(folder.join("archive"));
    const archive = host.archive(objects);
    await host.seal(2);
    await archive.uploadAll(signal);
    await host.seal(2);
    const chunks = () => host.store.totals().files.find(({ kind }) => kind === "chunk")?.count ?? 0;
    await host.store.keeper.dropOldest(1e9);
    assert.equal(chunks(), keepsUnarchived ? 2 : 0, "the quota");
    if (!keepsUnarchived) continue;
    await archive.uploadAll(signal);
    objects.isAway = true;
    const retention = {
      ageMs: 0,
      confirm: (ids: readonly string[]) => archive.confirm(ids, signal),
    };
    await host.store.keeper.retire(retention);
    assert.equal(chunks(), 2, "the archive did not say that it has them");
  }
});

Deno.test("before retention removes a chunk the archive is asked; what it has lost is uploaded again", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await using objects = new FolderStore(folder.join("archive"));
  const archive = host.archive(objects);
  await host.seal(3);
  await archive.uploadAll(signal);
  const keys = (await Array.fromAsync(objects.list("stream=logs/", signal))).map(({ key }) => key);
  const [deleted = "", overwritten = ""] = keys;
  await objects.remove(deleted, signal);
  const { size } = await Deno.stat(folder.join("archive", overwritten));
  const garbage = new Uint8Array(size); // no Parquet, and as large
  await objects.put({ key: overwritten, body: garbage, sha256: sha256Hex(garbage) }, signal);
  const retire = () =>
    host.store.keeper.retire({ ageMs: 0, confirm: (ids) => archive.confirm(ids, signal) });
  const chunks = () => host.store.totals().files.find(({ kind }) => kind === "chunk")?.count ?? 0;
  await retire();
  assert.equal(chunks(), 2, "the third alone was there as it had been");
  await archive.uploadAll(signal);
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
  await retire();
  assert.equal(chunks(), 0);
});

Deno.test("a chunk that is damaged before its upload is set aside and said; the others go on", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await using objects = new FolderStore(folder.join("archive"));
  await host.seal(3);
  const damaged = host.store.archiveBook.next();
  assert.ok(damaged !== null);
  const path = join(host.dataDir, damaged.path);
  const bytes = await Deno.readFile(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  const { mtime } = await Deno.stat(path);
  await Deno.writeFile(path, bytes);
  await Deno.utime(path, mtime ?? 0, mtime ?? 0); // as a disk does it: the file looks the same
  const archive = host.archive(objects);
  await archive.uploadAll(signal);
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines, [0, 1, 2]));
  const [removed] = host.store.totals().removed;
  assert.deepEqual([removed?.reason, removed?.rows], ["corrupt", 3]);
  assert.deepEqual(archive.condition().backlog, { chunks: 0, bytes: 0, sinceMs: null });
});

Deno.test("an object with the chunk's rows in other bytes stays, and its checksum is taken", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await using objects = new AwayStore(folder.join("archive"));
  await host.seal(1);
  const chunk = host.store.archiveBook.next();
  assert.ok(chunk !== null);
  const other = folder.join("other.parquet");
  await using engine = await Engine.open();
  const source = literal(join(host.dataDir, chunk.path));
  const facts = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${source}) WHERE decode(key) = 'logvend'`,
  );
  const text = literal(String(facts.rows[0]?.[0]));
  await engine.run(
    `COPY (FROM read_parquet(${source}, hive_partitioning = false)) TO ${literal(other)}
     (FORMAT parquet, COMPRESSION gzip, KV_METADATA { logvend: ${text} })`,
  );
  const sha256 = sha256Hex(await Deno.readFile(other));
  assert.notEqual(sha256, chunk.sha256);
  await objects.put({ key: chunk.path, body: { path: other }, sha256 }, signal);
  await host.archive(objects).uploadAll(signal);
  assert.equal(objects.puts, 1, "it was not replaced");
  assert.equal(host.store.archiveBook.find(chunk.id)?.sha256, sha256);
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
});

Deno.test("an agent.db that was lost knows its archive again, and nothing is sent twice", async () => {
  await using folder = await TempFolder.make();
  await using objects = new AwayStore(folder.join("archive"));
  {
    await using host = await makeHost(folder);
    await host.seal(3);
    await host.archive(objects).uploadAll(signal);
  }
  for (const ending of ["", "-wal", "-shm"]) {
    await Deno.remove(folder.join("data", `agent.db${ending}`)).catch(() => {}); // some are not there
  }
  await using host = await makeHost(folder);
  assert.equal(host.store.archiveBook.backlog().chunks, 3);
  await host.archive(objects).uploadAll(signal);
  assert.equal(host.store.archiveBook.backlog().chunks, 0);
  assert.equal(objects.puts, 3);
});
