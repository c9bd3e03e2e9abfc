import assert from "node:assert/strict";
import { ChunkCache } from "../../../../../agent/archive/reads/chunk_cache.ts";
import type { CachedObject } from "../../../../../agent/archive/reads/chunk_cache.ts";
import { readFooter } from "../../../../../queries/chunk/footer.ts";
import { literal } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { ANY, GROUP_ROWS, MemoryObject, second, writeChunk } from "./objects.ts";
import type { ChunkRows } from "./objects.ts";

const ROWS = 10 * GROUP_ROWS;

async function scene(chunk: ChunkRows = { rows: ROWS }, quotaBytes = 1e9) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const path = folder.join("chunk.parquet");
  await writeChunk(path, chunk);
  const object = new MemoryObject(await Deno.readFile(path));
  const cache = await ChunkCache.open({ folder: folder.join("cache"), quotaBytes });
  const engine = stack.use(await Engine.open());
  const owned = stack.move();
  const reopen = (bytes = quotaBytes) =>
    ChunkCache.open({ folder: folder.join("cache"), quotaBytes: bytes });
  const more = { folder: folder.join("cache"), reopen };
  return {
    path,
    object,
    cache,
    engine,
    ...more,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const only = (...names: string[]) => () => new Set(names);

async function rowsOf(engine: Engine, path: string | null, sql: string) {
  return (await engine.read(sql.replace("logs", `read_parquet(${literal(path ?? "")})`))).rows;
}

const SUM = "SELECT status, count(*), sum(body_bytes_sent)::BIGINT FROM logs GROUP BY 1 ORDER BY 1";

Deno.test("the fetched columns give what the whole file gives, for few bytes", async () => {
  await using here = await scene();
  const { cache, engine, object, path } = here;
  const lent = await cache.lend(object.cached, ANY, only("status", "body_bytes_sent"));
  assert.deepEqual(await rowsOf(engine, lent.path, SUM), await rowsOf(engine, path, SUM));
  assert.equal(lent.rows, ROWS);
  assert.equal(lent.fetched.requests, object.asked.length);
  const { bytes, rowGroups } = await readFooter(object.cached.read, object.bytes.length);
  const needed = rowGroups.flatMap(({ columns }) =>
    ["status", "body_bytes_sent"].map((name) => columns.get(name))
  ).reduce((sum, chunk) => sum + (chunk?.end ?? 0) - (chunk?.start ?? 0), bytes.length + 8);
  const guessed = Math.max(64 * 1024, bytes.length + 8) - bytes.length - 8;
  assert(lent.fetched.bytes - guessed <= needed * 1.1, `${lent.fetched.bytes} of ${needed}`);
});

Deno.test("a column that was not fetched gives an error, and never rows", async () => {
  await using here = await scene();
  const { cache, engine, object } = here;
  const lent = await cache.lend(object.cached, ANY, only("status"));
  for (const { name } of lent.columns.filter(({ name }) => name !== "status")) {
    const sql = `SELECT count(${name}), min(hash(${name})) FROM logs WHERE status > 0`;
    await assert.rejects(rowsOf(engine, lent.path, sql), Error, name);
  }
});

Deno.test("a range takes only the row groups that it touches", async () => {
  await using here = await scene();
  const { cache, engine, object } = here;
  const range = { sinceUs: second(3 * GROUP_ROWS), untilUs: second(5 * GROUP_ROWS), values: {} };
  const lent = await cache.lend(object.cached, range, only("status"));
  assert.equal(lent.rows, 2 * GROUP_ROWS);
  assert.deepEqual([lent.firstUs, lent.lastUs], [range.sinceUs, range.untilUs - 1e6]);
  const [[count] = []] = await rowsOf(engine, lent.path, "SELECT count(status)::INT FROM logs");
  assert.equal(count, 2 * GROUP_ROWS);
});

Deno.test("texts are looked for only where they can be: by order, and by bloom filter", async () => {
  const address = `CASE range // ${GROUP_ROWS} WHEN 7 THEN '192.0.2.77'
    ELSE format('10.{}.0.{}', range // ${GROUP_ROWS}, range % 3 * 2) END`;
  await using here = await scene({ rows: ROWS, address });
  const { cache, engine, object } = here;
  const find = async (text: string) => {
    const want = { ...ANY, values: { remote_addr: [text] } };
    const lent = await cache.lend(object.cached, want, only("remote_addr"));
    const sql = `SELECT count(*)::INT FROM logs WHERE remote_addr = ${literal(text)}`;
    const rows = lent.path === null ? [[0]] : await rowsOf(engine, lent.path, sql);
    return { rows: lent.rows, found: rows[0]?.[0] };
  };
  assert.deepEqual(await find("192.0.2.77"), { rows: GROUP_ROWS, found: GROUP_ROWS });
  assert.deepEqual(await find("172.16.0.1"), { rows: 0, found: 0 });
  assert.deepEqual(await find("10.4.0.3"), { rows: 0, found: 0 }); // between others: the filter says no
  assert.deepEqual(await find("10.4.0.4"), { rows: GROUP_ROWS, found: 683 });
});

Deno.test("what is there is not fetched again, and more columns come into the same file", async () => {
  await using here = await scene();
  const { cache, engine, object, path } = here;
  const first = await cache.lend(object.cached, ANY, only("status"));
  first.release();
  const again = await cache.lend(object.cached, ANY, only("status"));
  assert.deepEqual(again.fetched, { requests: 0, bytes: 0 });
  const more = await cache.lend(object.cached, ANY, only("status", "body_bytes_sent"));
  assert.equal(more.path, first.path);
  assert.deepEqual(await rowsOf(engine, more.path, SUM), await rowsOf(engine, path, SUM));
  object.etag = '"2"';
  const changed = await cache.lend(object.cached, ANY, only("status"));
  assert.notEqual(changed.path, first.path);
  assert(changed.fetched.requests > 1);
});

Deno.test("an object that changes between two requests gives an error", async () => {
  await using here = await scene();
  const { cache, object } = here;
  const { cached } = here.object;
  await cache.lend(cached, ANY, only("status"));
  object.etag = '"2"';
  await assert.rejects(cache.lend(cached, ANY, only("request")), /changed/);
});

Deno.test("a request that fails leaves nothing that is taken for rows", async () => {
  await using here = await scene();
  const { cache, engine, object, path } = here;
  let failing = true;
  const flaky: CachedObject = {
    ...object.cached,
    read: (range) =>
      failing && range.end < object.bytes.length - 70_000
        ? Promise.reject(new Error("reset"))
        : object.cached.read(range),
  };
  await assert.rejects(cache.lend(flaky, ANY, only("status", "body_bytes_sent")), /reset/);
  failing = false;
  const lent = await cache.lend(flaky, ANY, only("status", "body_bytes_sent"));
  assert.deepEqual(await rowsOf(engine, lent.path, SUM), await rowsOf(engine, path, SUM));
});

Deno.test("the quota holds: what nobody reads goes, the oldest first", async () => {
  await using here = await scene({ rows: ROWS }, 220_000);
  const { cache, object } = here;
  const lend = (key: string) => cache.lend({ ...object.cached, key }, ANY, only("body_bytes_sent"));
  const first = await lend("a");
  const used = cache.usedBytes;
  assert(used > 90_000 && used < 110_000, String(used)); // two fit
  first.release();
  const second = await lend("b");
  (await lend("c")).release();
  assert(cache.usedBytes <= 220_000);
  await assert.rejects(Deno.stat(first.path ?? ""), Deno.errors.NotFound);
  await Deno.stat(second.path ?? "");
  await assert.rejects(
    Promise.all(["d", "e", "f"].map(lend)),
    /raise archive.cache, or ask for less/,
  );
});

Deno.test("many ask for one object at once: it is fetched once", async () => {
  await using here = await scene();
  const { cache, object } = here;
  const { cached } = object;
  const asked = Array.from({ length: 5 }, () => cache.lend(cached, ANY, only("status")));
  const lent = await Promise.all(asked);
  assert.equal(new Set(lent.map(({ path }) => path)).size, 1);
  assert.equal(lent.filter(({ fetched }) => fetched.requests > 0).length, 1);
});

Deno.test("what an agent had fetched is there for the next one, footers too", async () => {
  await using here = await scene();
  const { cache, engine, object, path, reopen } = here;
  const columns = only("status", "body_bytes_sent");
  (await cache.lend(object.cached, ANY, only("status"))).release();
  (await cache.lend(object.cached, ANY, columns)).release();
  const next = await reopen();
  assert.equal(next.usedBytes, cache.usedBytes);
  const lent = await next.lend(object.cached, ANY, columns);
  assert.deepEqual(lent.fetched, { requests: 0, bytes: 0 });
  assert.deepEqual(await rowsOf(engine, lent.path, SUM), await rowsOf(engine, path, SUM));
  const more = await next.lend(object.cached, ANY, only("status", "body_bytes_sent", "request"));
  assert(more.fetched.requests > 0);
  const max = "SELECT max(request), count(*)::INT FROM logs";
  assert.deepEqual(await rowsOf(engine, more.path, max), await rowsOf(engine, path, max));
});

Deno.test("what is not as it was fetched is fetched anew; what nobody noted goes", async () => {
  await using here = await scene();
  const { cache, engine, object, path, reopen, folder } = here;
  const lend = async (from: ChunkCache) => {
    const lent = await from.lend(object.cached, ANY, only("status", "body_bytes_sent"));
    assert.deepEqual(await rowsOf(engine, lent.path, SUM), await rowsOf(engine, path, SUM));
    lent.release();
    return lent;
  };
  const { path: file, fetched } = await lend(cache);
  const bytes = await Deno.readFile(file ?? "");
  const at = bytes.findIndex((byte, i) => i > 1_000 && byte !== 0);
  await Deno.writeFile(file ?? "", bytes.with(at, (bytes[at] ?? 0) ^ 1));
  await Deno.writeTextFile(`${folder}/unnoted.parquet`, "PAR1");
  await Deno.writeTextFile(`${folder}/alone.parquet.json`, "{}");
  const second = await reopen();
  const again = await lend(second);
  assert(again.fetched.bytes > 0 && again.fetched.bytes < fetched.bytes, "the footer was right");
  await assert.rejects(Deno.stat(file ?? ""), Deno.errors.NotFound);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).sort();
  assert.deepEqual(names, [again.path, `${again.path}.json`]);
  await Deno.writeTextFile(`${again.path}.json`, "{"); // torn
  const third = await reopen();
  assert.equal(third.usedBytes, 0);
  assert((await lend(third)).fetched.requests > 0);
});

Deno.test("a quota that is smaller by now holds from the start; what is dropped stays away", async () => {
  await using here = await scene();
  const { cache, object, reopen } = here;
  const lend = async (from: ChunkCache, key: string) => {
    const lent = await from.lend({ ...object.cached, key }, ANY, only("body_bytes_sent"));
    lent.release();
    const note = `${lent.path}.json`; // its time says which is the oldest, some systems' times to 10 ms
    await Deno.utime(note, key.charCodeAt(0), key.charCodeAt(0));
    return lent.fetched.requests;
  };
  for (const key of ["a", "b", "c"]) await lend(cache, key);
  const second = await reopen(cache.usedBytes * 0.7);
  assert(second.usedBytes <= cache.usedBytes * 0.7);
  assert.equal(await lend(second, "c"), 0);
  await second.drop((key) => key === "c");
  const third = await reopen();
  assert(await lend(third, "c") > 0);
  assert.equal(await lend(third, "b"), 0);
  assert(await lend(third, "a") > 0);
});

Deno.test("what is dropped is gone from the disk, what is being read once it has been, also of before", async () => {
  await using here = await scene();
  const { cache, object, folder, engine } = here;
  const files = async () => (await Array.fromAsync(Deno.readDir(folder))).length;
  const lent = await cache.lend(object.cached, ANY, only("status"));
  await cache.drop((key) => key === "another");
  assert.ok(await files() > 0);
  await cache.drop((key) => key === object.key);
  const [[count] = []] = await rowsOf(engine, lent.path, "SELECT count(*)::INT FROM logs");
  assert.equal(count, ROWS);
  const again = await cache.lend(object.cached, ANY, only("status"));
  assert.ok(again.fetched.bytes > 0);
  lent.release();
  assert.equal(
    (await rowsOf(engine, again.path, "SELECT count(*)::INT FROM logs"))[0]?.[0],
    ROWS,
    "it has a file of its own",
  );
  again.release();
  const next = await here.reopen();
  await next.drop(() => true);
  assert.equal(await files(), 0);
  assert.equal(next.usedBytes, 0);
});
