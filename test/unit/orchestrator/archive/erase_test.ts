/** Erasing by columns: what of chunks is read, and that what comes of it is what whole chunks give. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { eraseArchives } from "../../../../orchestrator/archive/erase.ts";
import type { ArchiveErased } from "../../../../orchestrator/archive/erase.ts";
import { findRows } from "../../../../orchestrator/archive/find_rows.ts";
import { namedColumns } from "../../../../orchestrator/cli/erase_preview.ts";
import { readObject } from "../../../../protocol/archive/object_store.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { chunkPath } from "../../../../protocol/chunk/chunk_path.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import type { Erasure } from "../../../../protocol/signing/erasure.ts";
import { readFooter } from "../../../../queries/chunk/footer.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { rewriteChunk } from "../../../../queries/erase/rewrite.ts";
import { SEED, times } from "../../../harness/seed.ts";
import { eraseSigner } from "../../agent/erase/scene.ts";
import { conditionOver, HOSTS, linesOf } from "../../agent/archive/queries/widened.ts";
import { Dice } from "../../queries/random_query.ts";
import { archivedLogs, chunksIn, DAY, planned, randomRange } from "./scene.ts";
import type { ArchivedLogs } from "./scene.ts";

const { signal } = new AbortController();
const CONDITIONS = times(4);
const GROUP_ROWS = 2_048; // DuckDB writes no smaller ones

/** Of three row groups; the others have one. */
const LONG_HOUR = 3;

/** Counts what is read of each object; told before, it may do something to it. */
class Watched extends FolderStore {
  readonly reads: { key: string; bytes: number }[] = [];

  constructor(folder: string, private readonly before?: (key: string) => Promise<void>) {
    super(folder);
  }

  override async get(...[key, options, until]: Parameters<FolderStore["get"]>) {
    await this.before?.(key);
    const content = await super.get(key, options, until);
    const { start, end } = options.range ?? { start: 0, end: content.bytes };
    this.reads.push({ key, bytes: Math.min(end, content.bytes) - start });
    return content;
  }

  /** Of one object. */
  bytesOf(key: string): number {
    return this.reads.filter((read) => read.key === key).reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

async function logs(dice: Dice): Promise<ArchivedLogs> {
  const here = await archivedLogs((host, hour) => {
    const rows = hour === LONG_HOUR ? 2 * GROUP_ROWS + 500 : 40;
    return linesOf(dice, hour, { rows, capital: host === HOSTS[1] });
  }, signal);
  for (const chunk of here.chunks) await regroup(here, here.pathOf(chunk));
  return { ...here, chunks: await chunksIn(here.archive, signal) };
}

/** The same chunk in small row groups. */
async function regroup({ engine }: ArchivedLogs, path: string) {
  const { rows: [[said] = []] } = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${literal(path)}) WHERE decode(key) = 'logvend'`,
  );
  await engine.run(`COPY (FROM read_parquet(${literal(path)}, hive_partitioning = false))
    TO ${literal(`${path}.new`)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd,
    ROW_GROUP_SIZE ${GROUP_ROWS}, KV_METADATA {logvend: ${literal(String(said))}})`);
  await Deno.rename(`${path}.new`, path);
}

/** Keys of the chunks that whole ones make, and how many rows go. */
async function ofWhole(here: ArchivedLogs, erasure: Erasure) {
  const condition = await planned(here, erasure);
  assert.ok(condition !== null);
  const keys: string[] = [];
  const failing: string[] = [];
  let erased = 0;
  for (const chunk of here.chunks) {
    const { place, object: { key } } = chunk;
    const [path, rows, target] = [here.pathOf(chunk), here.folder.join("r"), here.folder.join("t")];
    await using engine = await Engine.open(); // an error may leave it unusable
    try {
      const shape = await findRows({ engine, erasure, condition, path, rows }, place);
      if (shape === null) {
        keys.push(key);
        continue;
      }
      const rewriting = { table: place.stream, shape, chunk: place.chunk, source: path };
      const rewritten = await rewriteChunk(engine, { ...rewriting, rows, target });
      keys.push(chunkPath({ ...place, chunk: rewritten.chunk }));
      erased += rewritten.counts.reduce((sum, { lines }) => sum + lines, 0);
    } catch {
      keys.push(key);
      failing.push(key);
    }
  }
  return { keys: keys.sort(), failing, rows: erased };
}

async function erase(objects: FolderStore, erasure: Erasure): Promise<ArchiveErased> {
  return await eraseArchives([objects], { erasure, onProgress: () => {} }, signal);
}

async function copyOf(here: ArchivedLogs, name: string): Promise<string> {
  const folder = here.folder.join(name);
  for (const chunk of here.chunks) {
    const path = join(folder, chunk.object.key);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(here.pathOf(chunk), path);
  }
  return folder;
}

async function keysIn(objects: FolderStore): Promise<string[]> {
  return (await Array.fromAsync(objects.list("stream=", signal))).map(({ key }) => key).sort();
}

/** A footer as the first look has it, and as the check before a chunk is written anew. */
const ENDS_BYTES = 16_384 + 65_536;

Deno.test(`${CONDITIONS} random conditions: by columns the same rows go as of whole chunks (LOGVEND_SEED=${SEED})`, async () => {
  const dice = new Dice(SEED);
  const { sign } = await eraseSigner();
  await using here = await logs(dice);
  const types = new Map(here.columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const sum = { rows: 0, whole: 0, unread: 0 };
  for (let done = 0; done < CONDITIONS;) {
    const where = conditionOver(dice, types);
    const columns = namedColumns(here.columns, where);
    const erasure = await sign({ where, ...randomRange(dice), columns });
    if (await planned(here, erasure) === null) continue;
    const wanted = await ofWhole(here, erasure);
    await using objects = new Watched(await copyOf(here, `copy ${done++}`));
    const found = await erase(objects, erasure);
    assert.deepEqual(await keysIn(objects), wanted.keys, where);
    assert.equal(found.rows, wanted.rows, where);
    for (const { key } of found.failures) assert.ok(wanted.failing.includes(key), where);
    for (const { object: { key, bytes } } of here.chunks) {
      const read = objects.bytesOf(key);
      assert.ok(read <= bytes + ENDS_BYTES, `${read} bytes of ${bytes} read: ${where}`);
      if (read > bytes) sum.whole++;
      else sum.unread++;
    }
    sum.rows += found.rows;
  }
  assert.ok(sum.rows > 0 && sum.whole > 0 && sum.unread > 0, JSON.stringify(sum));
});

/** An archive of one chunk of three row groups, and an erasure of one of its rows, or of none. */
async function oneChunk() {
  const here = await logs(new Dice(1));
  const [chunk] = here.chunks.filter(({ place }) => place.hour.endsWith(`0${LONG_HOUR}`));
  assert.ok(chunk !== undefined);
  const { sign } = await eraseSigner();
  const columns = [{ name: "i", type: "BIGINT" }];
  const erasing = (where: string, range: Partial<typeof DAY> = {}) =>
    sign({ where, ...DAY, ...range, columns });
  const { folder } = here;
  const alone = async (name: string) => {
    const path = folder.join(name, chunk.object.key);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.copyFile(here.pathOf(chunk), path);
    return { folder: folder.join(name), path };
  };
  const { key, bytes } = chunk.object;
  const dispose = () => here[Symbol.asyncDispose]();
  return { key, bytes, alone, erasing, [Symbol.asyncDispose]: dispose };
}

Deno.test("of a chunk without such rows only columns of the condition are read, and of row groups of the range", async () => {
  await using here = await oneChunk();
  const { folder } = await here.alone("alone");
  const readOf = async (erasure: Erasure) => {
    await using objects = new Watched(folder);
    assert.deepEqual(await erase(objects, erasure), NOTHING);
    return objects.reads.slice(1).reduce((sum, { bytes }) => sum + bytes, 0); // without the end
  };
  const all = await readOf(await here.erasing(NONE));
  assert.ok(all > 0 && all < here.bytes * 0.6, `${all} of ${here.bytes}`);
  const some = await readOf(await here.erasing(NONE, { since: "2026-11-23T03:50:00.000Z" }));
  assert.ok(some > 0 && some < all * 0.6, `${some} of ${all}`);
  assert.equal(await readOf(await here.erasing(NONE, { since: "2026-11-23T03:59:59.500Z" })), 0);
});

/** True of no row; statistics do not tell. */
const NONE = "i::VARCHAR LIKE '%x'";

const NOTHING = { looked: 1, chunks: 0, rows: 0, leftovers: 0, failures: [], undone: [] };

Deno.test("an object that changes before any of its reads is left as it is, named, and done again", async () => {
  await using here = await oneChunk();
  const erasure = await here.erasing(`i = ${LONG_HOUR * 1e5 + 5}`);
  for (let at = 1, isOver = false; !isOver; at++) {
    const { folder, path } = await here.alone(`alone ${at}`);
    let reads = 0;
    await using objects = new Watched(folder, async () => {
      if (++reads === at) await Deno.utime(path, at, at); // another version
    });
    const { failures, rows } = await erase(objects, erasure);
    isOver = failures.length === 0;
    if (isOver) {
      assert.equal(rows, 1);
      assert.ok(at > 4, `${at - 1} reads`); // end, column, check, rest
      continue;
    }
    assert.deepEqual(failures.map(({ key }) => key), [here.key]);
    assert.match(failures[0]?.reason ?? "", /it changed/);
    assert.deepEqual(await keysIn(objects), [here.key]);
    await using again = new FolderStore(folder);
    assert.equal((await erase(again, erasure)).rows, 1, `${at}`);
  }
});

Deno.test("a column that cannot be read does not make a chunk one without such rows", async () => {
  await using here = await oneChunk();
  const { folder, path } = await here.alone("alone");
  await using objects = new FolderStore(folder);
  const read = (range: { start: number; end: number }) =>
    readObject(objects, here.key, { range }, signal);
  const { rowGroups } = await readFooter(read, here.bytes);
  const column = rowGroups.at(-1)?.columns.get("i");
  assert.ok(column !== undefined);
  using file = await Deno.open(path, { write: true });
  await file.seek(column.start, Deno.SeekMode.Start);
  await file.write(new Uint8Array(column.end - column.start));
  const { failures } = await erase(objects, await here.erasing(NONE));
  assert.deepEqual(failures.map(({ key }) => key), [here.key]);
  assert.deepEqual(await keysIn(objects), [here.key]);
});

Deno.test("an old chunk that lies there still goes only when the whole one that counts is what was archived", async () => {
  await using here = await oneChunk();
  const { folder, path } = await here.alone("alone");
  await using objects = new FolderStore(folder);
  await erase(objects, await here.erasing(`i = ${LONG_HOUR * 1e5 + 5}`));
  const [counting = ""] = await keysIn(objects);
  await here.alone("alone"); // the old one is back
  class Kept extends FolderStore { // with checksums, as buckets keep them
    override async head(key: string, until: AbortSignal) {
      const facts = await super.head(key, until);
      return facts && { ...facts, sha256: "of other bytes" };
    }
  }
  await using kept = new Kept(folder);
  const { failures, leftovers } = await erase(kept, await here.erasing(NONE));
  assert.deepEqual(failures.map(({ key }) => key), [counting]);
  assert.equal(leftovers, 0);
  assert.deepEqual(await keysIn(objects), [here.key, counting]);
  await Deno.remove(path);
  assert.deepEqual(await erase(kept, await here.erasing(NONE)), NOTHING);
});
