import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { StreamConfig } from "../../../../agent/stream_config.ts";
import { eventually } from "../../../harness/eventually.ts";
import { append, assertAll, bench, text } from "./tail_scene.ts";
import type { Bench } from "./tail_scene.ts";

/** Old enough that nobody writes to it any more. */
const OLD_MS = 3_600_000;

/** Packs what a file holds and removes it, an hour ago as far as its times tell. */
async function pack(path: string, ending: "gz" | "zst", suffix = "") {
  const bytes = await Deno.readFile(path);
  const packed = ending === "gz" ? gzipSync(bytes) : zstdCompressSync(bytes);
  await writeOld(`${path}${suffix}.${ending}`, packed);
  await Deno.remove(path);
}

async function writeOld(path: string, bytes: Uint8Array) {
  await Deno.writeFile(path, bytes);
  const changed = new Date(Date.now() - OLD_MS);
  await Deno.utime(path, changed, changed);
}

/** A minute ahead: what was written just now is no longer being written. */
const clock = { nowMs: () => Date.now() + 60_000, monotonicMs: () => performance.now() };

async function start(b: Bench, config: Partial<StreamConfig> = {}) {
  const tail = b.begin(config, clock);
  await tail.idle();
  return tail;
}

/** Reads what there is, and dies once it is durable. */
async function readAndDie(b: Bench) {
  await using _tail = await start(b);
  await b.sink.flush();
}

Deno.test("a file that was read in part and packed meanwhile is read on, once", async () => {
  for (const [ending, lines] of [["gz", 5], ["zst", 200], ["gz", 200]] as const) {
    await using b = await bench();
    await append(b.path, text(lines));
    await readAndDie(b);
    await append(b.path, text(100, lines));
    await Deno.rename(b.path, `${b.path}.1`);
    await pack(`${b.path}.1`, ending);
    await append(b.path, text(10, lines + 100));
    await readAndDie(b);
    assertAll(b.sink, lines + 110);
    await readAndDie(b);
    assertAll(b.sink, lines + 110);
  }
});

Deno.test("what was read to its end is not read again packed, nor unpacked again", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  await append(`${b.path}.2`, text(3, 100));
  await readAndDie(b);
  const bytes = await Deno.readFile(b.path);
  await pack(b.path, "gz");
  await pack(`${b.path}.2`, "zst");
  await readAndDie(b);
  assertAll(b.sink, 103);
  await Deno.writeFile(`${b.path}.again`, bytes);
  await Deno.remove(`${b.path}.gz`);
  await readAndDie(b);
  assertAll(b.sink, 103);
});

Deno.test("a packed copy of a file that is still there is left alone", async () => {
  await using b = await bench();
  for (const [i, count] of [[0, 3], [1, 100]] as const) {
    const path = `${b.path}.${i}`;
    await append(path, text(count, i * 3));
    await writeOld(`${path}.gz`, gzipSync(await Deno.readFile(path)));
  }
  await readAndDie(b);
  assertAll(b.sink, 103);
});

Deno.test("two short files of the same lines are two, packed as well", async () => {
  await using b = await bench();
  await append(`${b.path}.1`, text(2));
  await append(`${b.path}.2`, text(2));
  await readAndDie(b);
  assert.equal(b.sink.lines, 4);
  await pack(`${b.path}.1`, "gz");
  await pack(`${b.path}.2`, "gz");
  await writeOld(`${b.path}.3.gz`, gzipSync(text(2)));
  await readAndDie(b);
  assert.equal(b.sink.lines, 6);
});

Deno.test("all packed files of a look are read before the next one", async () => {
  await using b = await bench();
  const files = 20;
  for (let i = 0; i < files; i++) await writeOld(`${b.path}.${i}.gz`, gzipSync(text(30, i * 30)));
  const slow = { ...clock, monotonicMs: () => performance.now() / 100 }; // 100 s from look to look
  await using _tail = b.begin({}, slow);
  await eventually(() => {
    assertAll(b.sink, files * 30);
    return true;
  });
});

Deno.test("a packed file that another one replaced before its turn is read as what it is now", async () => {
  await using b = await bench();
  for (const [i, count] of [[0, 20_000], [1, 100]] as const) {
    await writeOld(`${b.path}.${i}.gz`, gzipSync(text(count, i * 20_000)));
  }
  await using tail = b.begin({}, clock);
  await eventually(() => {
    assert(b.sink.lines > 0); // of the first
    return true;
  });
  await writeOld(`${b.path}.new`, zstdCompressSync(text(200, 20_000)));
  await Deno.rename(`${b.path}.new`, `${b.path}.1.gz`);
  await eventually(async () => {
    await tail.idle();
    assertAll(b.sink, 20_200);
    return true;
  });
});

Deno.test("a packed file is read when it is whole", async () => {
  for (const packed of [gzipSync(text(500)), zstdCompressSync(text(500))]) {
    await using b = await bench();
    const path = `${b.path}.${packed[0] === 0x1f ? "gz" : "zst"}`;
    await writeOld(path, packed.subarray(0, packed.length - 20));
    await using tail = await start(b);
    assert.equal(b.sink.lines, 0);
    await writeOld(path, packed);
    await Deno.utime(path, Date.now() / 1_000, Date.now() / 1_000 - 60);
    await eventually(async () => {
      await tail.idle();
      assertAll(b.sink, 500);
      return true;
    });
  }
});

Deno.test("packed files that are too old, or were there before a tail from the end, are not read", async () => {
  await using b = await bench();
  await writeOld(`${b.path}.gz`, gzipSync(text(100)));
  {
    await using _tail = await start(b, { ignore_older: OLD_MS / 2 });
    assert.equal(b.sink.lines, 0);
  }
  {
    await using _tail = await start(b, { read_from: "end" });
    await b.sink.flush();
  }
  await readAndDie(b);
  assert.equal(b.sink.lines, 0);
});

Deno.test("a packed file that was read is not looked through at the next start, unless it is another", async () => {
  await using b = await bench();
  const path = `${b.path}.1.gz`;
  const put = (first: number) => writeOld(path, gzipSync(text(100, first), { level: 0 }));
  await put(100);
  await readAndDie(b);
  const { size, mtime } = await Deno.stat(path);
  const before = mtime ?? new Date();
  assert.equal(b.sink.lines, 100);
  assert.equal(b.sink.packedNotes.size, 1);
  await put(600);
  assert.equal((await Deno.stat(path)).size, size);
  await Deno.utime(path, before, before);
  await readAndDie(b);
  assert.equal(b.sink.lines, 100);
  await Deno.utime(path, before, new Date(before.getTime() + 1_000));
  await readAndDie(b);
  assert.equal(b.sink.lines, 200);
  await Deno.remove(path);
  await writeOld(`${b.path}.2.gz`, gzipSync(text(100, 300)));
  await readAndDie(b);
  assert.equal(b.sink.lines, 300);
  assert.equal(b.sink.packedNotes.size, 1);
});

Deno.test("a packed file whose rows were not durable when its note was is read again", async () => {
  await using b = await bench();
  await writeOld(`${b.path}.1.gz`, gzipSync(text(100)));
  {
    await using _tail = await start(b);
    assertAll(b.sink, 100);
  }
  assert.equal(b.sink.packedNotes.size, 1);
  b.sink.crash();
  assert.equal(b.sink.lines, 0);
  await readAndDie(b);
  assertAll(b.sink, 100);
});
