import assert from "node:assert/strict";
import { join } from "node:path";
import type { Batch, Generation } from "../../../../agent/store/batch.ts";
import { openStoredFiles, Store } from "../../../../agent/store/store.ts";
import type { SnapshotSource } from "../../../../agent/store/snapshot.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { tableSelect } from "../../../../protocol/streams.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.parse("2026-11-22T18:00:00Z");
const GENERATION: Generation = {
  id: "00000000000000aa",
  stream: "logs",
  path: "/var/log/access.log",
  device: 1,
  inode: 2,
  offset: 0,
  lines: 0,
  headSha256: null,
  headBytes: 0,
  tailSha256: null,
  contentSha256: null,
  firstSeenMs: START_MS,
};

/** Ten bytes a line: `line 00042` without its line feed would be 10; here text and length agree. */
function batch(startLine: number, count: number, atMs: (line: number) => number): Batch {
  const lines = Array.from({ length: count }, (_, i) => startLine + i);
  const text = lines.map((line) => `l${String(line).padStart(8, "0")}`);
  const nulls = <T>() => lines.map((): T | null => null);
  return {
    generation: GENERATION.id,
    startOffset: startLine * 10,
    endOffset: (startLine + count) * 10,
    lines: count,
    rows: {
      ts: lines.map((line) => BigInt(atMs(line)) * 1_000n),
      remote_addr: nulls(),
      remote_user: nulls(),
      http_method: nulls(),
      request: nulls(),
      http_version: nulls(),
      status: lines.map(() => 200),
      body_bytes_sent: lines.map((line) => BigInt(line)),
      http_referer: nulls(),
      http_user_agent: nulls(),
      request_time_ms: nulls(),
      time_zone_min: nulls(),
      layout: nulls(),
      line_text: text,
      line_raw: nulls(),
      line_offset: lines.map((line) => line * 10),
      line_length: lines.map(() => 10),
    },
    rejects: [],
    tail: new TextEncoder().encode(text.at(-1)),
  };
}

/** A data folder whose store can be left without a flush, as by kill -9, and opened again. */
async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function open(
  path: string,
  clock: () => number = () => START_MS + HOUR_MS / 2,
  signal = new AbortController().signal,
) {
  return await Store.open({
    dataDir: path,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 120_000,
    clock,
    signal,
  });
}

async function read(source: SnapshotSource, sql: string) {
  await using snapshot = await source.snapshot({ tables: ["logs"], since: null, until: null });
  await using engine = await Engine.open();
  const files = snapshot.tables.get("logs")?.files ?? [];
  const select = tableSelect("logs", { files, region: "eu", since: null, until: null });
  await engine.run(`CREATE VIEW logs AS ${select}`);
  return (await engine.read(sql)).rows;
}

const COUNT = "SELECT count(*)::INT, count(DISTINCT line)::INT FROM logs";

async function parquetFiles(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const child = join(path, entry.name);
    if (entry.isDirectory) found.push(...await parquetFiles(child));
    else if (entry.name.endsWith(".parquet")) found.push(child);
  }
  return found;
}

Deno.test("rows can be queried before any flush, and once only after it", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
  await store.flush();
  await store.append(batch(5, 3, () => START_MS));
  assert.deepEqual(await read(store, COUNT), [[8, 8]]);
});

Deno.test("a flush makes rows and offset durable together; what was not flushed is read again", async () => {
  await using data = await folder();
  await using closed = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    await store.flush();
    await store.append(batch(5, 3, () => START_MS));
    await copy(data.path, closed.path); // what a kill at this moment would leave behind
  }
  await using store = await open(closed.path);
  const [generation] = store.generations("logs");
  assert.equal(generation?.offset, 50);
  assert.equal(generation?.lines, 5);
  assert.equal(generation?.tailSha256?.length, 64);
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
});

Deno.test("facts of a generation that come during a flush are durable after the next", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    const flushing = store.flush();
    const [known = GENERATION] = store.generations("logs");
    await Promise.resolve();
    store.putGeneration({ ...known, path: "/var/log/access.log.1" });
    await flushing;
  }
  await using store = await open(data.path);
  assert.equal(store.generations("logs")[0]?.path, "/var/log/access.log.1");
});

Deno.test("files that no commit names are deleted at start", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
  }
  await Deno.writeTextFile(join(data.path, "parts", "logs", "2026-11-22T18.ff.parquet"), "torn");
  assert.equal((await parquetFiles(data.path)).length, 2);
  await using store = await open(data.path);
  assert.equal((await parquetFiles(data.path)).length, 1);
  assert.deepEqual(await read(store, COUNT), [[5, 5]]);
});

Deno.test("an hour is sealed when it is over and quiet, into one chunk with positions kept sparse", async () => {
  await using data = await folder();
  let nowMs = START_MS + HOUR_MS / 2;
  await using store = await open(data.path, () => nowMs);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  await store.append(batch(5, 5, (line) => START_MS + (line < 8 ? 0 : HOUR_MS)));
  await store.flush();
  assert.deepEqual(await store.seal({ all: false }), [], "the hour is not over");
  nowMs = START_MS + HOUR_MS + 60_000;
  const [chunk, ...more] = await store.seal({ all: false });
  assert.deepEqual(more, []);
  assert.equal(chunk?.rows, 8);
  assert.match(
    chunk?.path ?? "",
    /^stream=logs\/region=eu\/date=2026-11-22\/hour=18\/web-1\.[0-9a-f]{16}\.parquet$/,
  );
  assert.deepEqual(await read(store, COUNT), [[10, 10]]);
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT count(generation)::INT, count(line_offset)::INT, count(line_length)::INT
     FROM read_parquet('${join(data.path, chunk?.path ?? "")}')`,
  );
  assert.deepEqual(rows, [[1, 1, 0]]);
});

Deno.test("a sealing that was cut short is taken up again with the same parts and id", async () => {
  await using data = await folder();
  await using other = await folder();
  const after = () => START_MS + 2 * HOUR_MS;
  let undisturbed: string | undefined;
  {
    await using store = await open(data.path, () => START_MS);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    await store.flush();
    await copy(data.path, other.path);
    undisturbed = (await store.seal({ all: true }))[0]?.id;
  }
  {
    await using store = await open(other.path, after, AbortSignal.abort());
    await assert.rejects(store.seal({ all: true }));
    await store.append(batch(5, 3, () => START_MS));
  }
  await using store = await open(other.path, after);
  const [again] = await store.seal({ all: false });
  assert.equal(again?.id, undisturbed);
  assert.equal(again?.rows, 5);
  assert.deepEqual(await read(store, COUNT), [[8, 8]]);
});

Deno.test("parts that a query reads outlive their sealing until it ends", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  const snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
  const [part = ""] = snapshot.tables.get("logs")?.files ?? [];
  await store.seal({ all: true });
  assert.ok((await Deno.stat(part)).size > 0);
  await snapshot[Symbol.asyncDispose]();
  await assert.rejects(Deno.stat(part), Deno.errors.NotFound);
});

Deno.test("a snapshot leaves out files that do not touch the range", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 10, (line) => START_MS + line * HOUR_MS));
  await store.flush();
  await using snapshot = await store.snapshot({
    tables: ["logs"],
    since: new Date(START_MS + 2 * HOUR_MS).toISOString(),
    until: new Date(START_MS + 4 * HOUR_MS).toISOString(),
  });
  assert.equal(snapshot.tables.get("logs")?.rows, 2);
});

Deno.test("rejects are a table of their own and counted", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  const bad = batch(0, 0, () => START_MS);
  const line = new Uint8Array([0xff, 0x00, 0x41]);
  await store.append({
    ...bad,
    endOffset: 4,
    lines: 1,
    rejects: [{
      ts: BigInt(START_MS) * 1_000n,
      reason: "no_format",
      line,
      line_offset: 0,
      length: 4,
    }],
  });
  assert.equal(store.stats().rejects, 1);
  await store.flush();
  assert.equal(store.stats().rejects, 1);
  await using snapshot = await store.snapshot({ tables: ["rejects"], since: null, until: null });
  await using engine = await Engine.open();
  const files = snapshot.tables.get("rejects")?.files ?? [];
  const select = tableSelect("rejects", { files, region: "eu", since: null, until: null });
  const { rows } = await engine.read(
    `SELECT stream, host, region, file, reason, hex(line) FROM (${select})`,
  );
  assert.deepEqual(rows, [["logs", "web-1", "eu", "/var/log/access.log", "no_format", "FF0041"]]);
});

Deno.test("a request id is taken once", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  assert.equal(store.rememberRequest("a", START_MS + HOUR_MS), true);
  assert.equal(store.rememberRequest("a", START_MS + HOUR_MS), false);
});

Deno.test("a data folder has one writer, and readers beside it", async () => {
  await using data = await folder();
  assert.throws(
    () => openStoredFiles(data.path, ["logs"]),
    (error) => error instanceof LogvendError && error.message.includes("holds no data yet"),
  );
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  await assert.rejects(
    open(data.path),
    (error) => error instanceof LogvendError && error.message.includes("in use"),
  );
  using reader = openStoredFiles(data.path, ["logs"]);
  assert.deepEqual(await read(reader, COUNT), [[5, 5]]);
});

async function copy(from: string, to: string) {
  const { success } = await new Deno.Command("cp", { args: ["-r", `${from}/.`, to] }).output();
  assert.ok(success);
}
