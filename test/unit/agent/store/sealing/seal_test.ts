import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { writeJsonLine } from "../../../../../protocol/wire/json_lines.ts";
import { SEAL_COMMAND, selfCommand } from "../../../../../agent/self.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { childrenOf } from "../../../../bench/process.ts";
import { eventually } from "../../../../harness/eventually.ts";
import {
  batch,
  copy,
  COUNT,
  folder,
  GENERATION,
  HOUR_MS,
  open,
  parquetFiles,
  read,
  START_MS,
} from "../scene.ts";

Deno.test("an hour is sealed when it is over and quiet, into one chunk with positions kept sparse", async () => {
  await using data = await folder();
  let nowMs = START_MS + HOUR_MS / 2;
  await using store = await open(data.path, () => nowMs);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  await store.append(batch(5, 5, (line) => START_MS + (line < 8 ? 0 : HOUR_MS)));
  await store.flush();
  assert.deepEqual(await store.sealRipe(true), [], "the hour is not over");
  nowMs = START_MS + HOUR_MS + 60_000;
  const [chunk, ...more] = await store.sealRipe(true);
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
  assert.deepEqual(rows, [[2, 2, 0]], "one of each batch");
});

Deno.test("an hour waits until its lines have been read again after a restart, then becomes one chunk", async () => {
  await using data = await folder();
  let nowMs = START_MS + HOUR_MS / 2;
  {
    await using store = await open(data.path, () => nowMs);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
  }
  nowMs = START_MS + 3 * HOUR_MS;
  await using store = await open(data.path, () => nowMs);
  assert.deepEqual(await store.sealRipe(false), [], "its files are unread");
  await store.append(batch(5, 3, () => START_MS));
  assert.deepEqual(await store.sealRipe(false), []);
  const [chunk, ...more] = await store.sealRipe(true);
  assert.deepEqual([chunk?.rows, more.length], [8, 0], "with the rows that were in memory");
  assert.deepEqual(await read(store, COUNT), [[8, 8]]);
});

Deno.test("files that are never read to their end hold up no hour for ever", async () => {
  await using data = await folder();
  let nowMs = START_MS + 2 * HOUR_MS;
  await using store = await open(data.path, () => nowMs);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  await store.flush();
  nowMs += 14 * 60_000;
  assert.deepEqual(await store.sealRipe(false), []);
  nowMs += 60_000;
  assert.equal((await store.sealRipe(false)).length, 1, "quiet for 15 minutes");
  for (let i = 0; i < 12; i++) {
    await store.append(batch(5 + i, 1, () => START_MS + HOUR_MS));
    await store.flush();
    assert.deepEqual(await store.sealRipe(false), [], "rows still come");
    nowMs += 5 * 60_000;
  }
  assert.equal((await store.sealRipe(false))[0]?.rows, 12, "an hour after the first of them");
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
    undisturbed = (await store.sealAll())[0]?.id;
  }
  {
    await using store = await open(other.path, after, AbortSignal.abort());
    await assert.rejects(store.sealAll());
    await store.append(batch(5, 3, () => START_MS));
  }
  await using store = await open(other.path, after);
  const [again] = await store.sealRipe(true);
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
  await store.sealAll();
  assert.ok((await Deno.stat(part)).size > 0);
  await snapshot[Symbol.asyncDispose]();
  await assert.rejects(Deno.stat(part), Deno.errors.NotFound);
});

Deno.test("an hour of thousands of parts is sealed, in a folder with a comma too", async () => {
  await using data = await folder();
  await using store = await open(join(data.path, "a,b"), () => START_MS + HOUR_MS / 2);
  store.putGeneration(GENERATION);
  for (let line = 0; line < 1_800; line++) {
    await store.append(batch(line, 1, () => START_MS));
    await store.flush();
  }
  const [chunk] = await store.sealAll();
  assert.equal(chunk?.rows, 1_800);
});

Deno.test("an hour that cannot be sealed keeps its parts, and no other hour waits for it", async () => {
  await using data = await folder();
  await using store = await open(data.path, () => START_MS + 3 * HOUR_MS);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 3, (line) => START_MS + line * HOUR_MS));
  await store.flush();
  const inTheWay = join(data.path, "stream=logs", "region=eu", "date=2026-11-22", "hour=18");
  await Deno.mkdir(dirname(inTheWay), { recursive: true });
  await Deno.writeTextFile(inTheWay, "");
  await assert.rejects(store.sealAll());
  await assert.rejects(store.sealAll(), "nor when it is tried again");
  const left = await parquetFiles(data.path);
  assert.equal(left.filter((path) => path.includes("stream=logs")).length, 2);
  assert.equal(left.filter((path) => path.includes("/parts/")).length, 1);
  await Deno.remove(inTheWay);
  assert.equal((await store.sealAll()).length, 1);
  assert.deepEqual(await read(store, COUNT), [[3, 3]]);
});

Deno.test("a process that dies on one hour stops no other hour: one process seals them all", async () => {
  await using data = await folder();
  await using store = await open(data.path, () => START_MS + 30 * HOUR_MS);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 20, (line) => START_MS + line * HOUR_MS));
  await store.flush();
  const sealProcesses = () => childrenOf(Deno.pid, "worker-seal");
  const refused = assert.rejects(store.sealAll(), /Cannot seal .*killed/);
  const victim = await eventually(() => sealProcesses()[0]);
  Deno.kill(victim, "SIGKILL");
  const next = await eventually(() => sealProcesses().find((pid) => pid !== victim));
  await refused;
  assert.ok(next !== victim);
  const paths = await parquetFiles(data.path);
  assert.equal(paths.filter((path) => path.includes("/parts/")).length, 1);
  assert.equal((await store.sealAll()).length, 1);
  assert.deepEqual(await read(store, COUNT), [[20, 20]]);
});

Deno.test("a seal process whose agent was killed leaves no file behind", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
  }
  const parts = await parquetFiles(data.path);
  const sources = parts.map((path) => ({ path, sha256: null }));
  const self = selfCommand([SEAL_COMMAND]);
  const child = new Deno.Command(self.command, {
    args: self.args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  await child.stdout.cancel();
  const target = join(data.path, "chunk.parquet");
  const input = child.stdin.getWriter();
  await writeJsonLine(input, { stream: "logs", sources, target, metadata: "{}" });
  await input.close();
  await child.status;
  assert.deepEqual(await parquetFiles(data.path), parts);
});

Deno.test("a damaged part never becomes a chunk: the rest of its hour does", async () => {
  await using data = await folder();
  await using store = await open(data.path, () => START_MS + 3 * HOUR_MS);
  store.putGeneration(GENERATION);
  for (let line = 0; line < 6; line += 2) {
    await store.append(batch(line, 2, () => START_MS));
    await store.flush();
  }
  const [part = ""] = await parquetFiles(data.path);
  const bytes = await Deno.readFile(part);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await Deno.writeFile(part, bytes);
  const [chunk, ...more] = await store.sealAll();
  assert.deepEqual([chunk?.rows, more.length], [4, 0]);
  assert.deepEqual(await read(store, COUNT), [[4, 4]]);
  await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
  assert.deepEqual(snapshot.lost, { files: 1, rows: 2 });
});

Deno.test("row groups of long lines are smaller, that memory is enough for any", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  const LINES = 20_000;
  const LINE_BYTES = 3_000;
  for (let line = 0; line < LINES; line += 2_000) {
    const lines = batch(line, 2_000, () => START_MS);
    for (let row = 0; row < 2_000; row++) {
      lines.rows.columns.line_text.set(row, crypto.randomUUID().padEnd(LINE_BYTES, `${row}`));
    }
    await store.append(lines);
  }
  await store.flush();
  const [chunk] = await store.sealAll();
  assert.equal(chunk?.rows, LINES);
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT max(row_group_num_rows)::INT, max(row_group_bytes)::INT
     FROM parquet_metadata('${join(data.path, chunk?.path ?? "")}')`,
  );
  const [[most, bytes] = []] = rows;
  assert.ok(Number(most) < LINES, `${most} rows in a group`);
  assert.ok(Number(bytes) < 80 * 2 ** 20, `${bytes} bytes in a group`);
});
