import assert from "node:assert/strict";
import { combinedLine } from "../../../harness/lines.ts";
import { eventually } from "../../../harness/eventually.ts";
import { append, assertAll, bench, text } from "./tail_scene.ts";

const DAY_MS = 86_400_000;

Deno.test("lines are read as they come, files that appear later too", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  await using tail = await b.start();
  assertAll(b.sink, 10);
  await append(b.path, text(5, 10));
  await append(b.folder.join("access.log-other"), text(5, 15));
  await tail.idle();
  assertAll(b.sink, 20);
  assert.equal(tail.linesTotal(), 20);
  assert.deepEqual(tail.behind(), { bytes: 0, ms: 0 });
});

Deno.test("new lines are read without anyone asking", async () => {
  await using b = await bench();
  await append(b.path, text(1));
  await using _tail = await b.start();
  await append(b.path, text(1, 1));
  await eventually(() => b.sink.lines === 2);
});

Deno.test("the tail has caught up when all that its files hold is in the sink, not before", async () => {
  await using b = await bench();
  await append(b.path, text(20_000));
  await append(`${b.path}.other`, text(10, 20_000));
  const taken = Promise.withResolvers<void>();
  b.sink.gate = () => taken.promise;
  await using tail = b.begin();
  assert.equal(tail.isCaughtUp(), false, "nobody has looked");
  await eventually(() => b.sink.generations("logs").length === 2);
  assert.equal(tail.isCaughtUp(), false, "the sink has not taken the lines");
  taken.resolve();
  await tail.idle();
  assert.equal(tail.isCaughtUp(), true);
});

Deno.test("an unfinished last line waits for its end", async () => {
  await using b = await bench();
  const line = combinedLine(1);
  await append(b.path, combinedLine(0) + line.slice(0, 30));
  await using tail = await b.start();
  assertAll(b.sink, 1);
  assert.deepEqual(tail.behind(), { bytes: 30, ms: 0 });
  await append(b.path, line.slice(30, 60));
  await tail.idle();
  assertAll(b.sink, 1);
  await append(b.path, line.slice(60));
  await tail.idle();
  assertAll(b.sink, 2);
});

Deno.test("rotation by rename loses and repeats nothing, in the glob and out of it", async () => {
  for (const pattern of ["access.log*", "access.log"]) {
    await using b = await bench();
    await append(b.path, text(10));
    await using tail = await b.start({ files: [b.folder.join(pattern)] });
    let number = 10;
    for (let rotation = 1; rotation <= 3; rotation++) {
      using writer = await Deno.open(b.path, { append: true });
      await Deno.rename(b.path, `${b.path}.${rotation}`);
      await append(b.path, text(10, number));
      await tail.idle();
      writer.writeSync(new TextEncoder().encode(text(10, number + 10)));
      await tail.idle();
      number += 20;
    }
    assertAll(b.sink, number);
    assert.equal(b.sink.generations("logs").length, 4);
  }
});

Deno.test("the renamed file is read to its end before the one that took its path", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  await using tail = await b.start();
  await append(b.path, text(30_000, 10));
  await Deno.rename(b.path, `${b.path}.1`);
  await append(b.path, text(10, 30_010));
  await tail.idle();
  const order = b.sink.batches.map(({ generation }) => generation);
  const last = order.at(-1);
  assert.equal(order.indexOf(last ?? ""), order.length - 1, "the new file comes last");
  assertAll(b.sink, 30_020);
});

Deno.test("a truncated file is read from its start, also when it has grown past the old end", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  await using tail = await b.start();
  await Deno.writeTextFile(b.path, text(10, 100));
  await tail.idle();
  await Deno.writeTextFile(b.path, text(500, 110));
  await tail.idle();
  await Deno.truncate(b.path);
  await tail.idle();
  await append(b.path, text(1, 610));
  await tail.idle();
  assertAll(b.sink, 611);
});

Deno.test("what is destroyed before it was read is a gap, what was read is durable at once", async () => {
  await using b = await bench();
  await append(b.path, text(10) + "unfinished");
  await append(`${b.path}.gone`, text(10, 10) + "cut");
  let passedMs = 0;
  const clock = { nowMs: () => 42, monotonicMs: () => performance.now() + passedMs };
  const tail = b.begin({ ignore_older: Infinity }, clock);
  await tail.idle();
  assert.equal(b.sink.gaps.length, 0);
  const { size } = await Deno.stat(b.path);
  const idOf = (end: string) =>
    b.sink.generations("logs").find(({ path }) => path.endsWith(end))?.id;
  const [truncated, gone] = [idOf("access.log"), idOf(".gone")];
  await Deno.writeTextFile(b.path, text(5, 20));
  await Deno.remove(`${b.path}.gone`);
  await tail.idle();
  passedMs = 61_000;
  await tail.idle();
  await tail[Symbol.asyncDispose]();
  b.sink.crash();
  assert.equal(b.sink.lines, 20);
  const [first, second, ...more] = b.sink.gaps;
  assert.deepEqual(first, {
    generation: truncated,
    stream: "logs",
    path: b.path,
    offset: size - "unfinished".length,
    bytes: "unfinished".length,
    reason: "truncated",
    seenMs: 42,
  });
  assert.deepEqual(
    [second?.generation, second?.bytes, second?.reason, more.length],
    [gone, "cut".length, "gone", 0],
  );
});

Deno.test("after a crash what was not flushed is read again, and nothing else", async () => {
  await using b = await bench();
  await append(b.path, text(5_000));
  await append(`${b.path}.other`, text(3, 5_000));
  for (let round = 1; round <= 3; round++) {
    const tail = await b.start();
    await append(b.path, text(1_000, 4_003 + round * 1_000));
    await tail.idle();
    if (round === 1) b.sink.flush();
    await append(b.path, "unfinished");
    await tail.idle();
    await tail[Symbol.asyncDispose]();
    b.sink.crash();
    const content = await Deno.readTextFile(b.path);
    await Deno.writeTextFile(b.path, content.slice(0, -"unfinished".length));
  }
  await using _tail = await b.start();
  assertAll(b.sink, 8_003);
});

Deno.test("rotations while the agent is down are followed", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  await append(`${b.path}.other`, text(100, 100));
  const tail = await b.start();
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await append(b.path, text(10, 200));
  await Deno.rename(b.path, `${b.path}.2`);
  await append(`${b.path}.1`, text(10, 210));
  await append(b.path, text(10, 220));
  // The other one was copied elsewhere and removed.
  await Deno.copyFile(`${b.path}.other`, `${b.path}.moved`);
  await Deno.remove(`${b.path}.other`);
  await append(`${b.path}.moved`, text(10, 230));
  await using _tail = await b.start();
  assertAll(b.sink, 240);
});

Deno.test("files with the same first KiB are told apart", async () => {
  await using b = await bench();
  const header = `${"#".repeat(2_000)}\n`;
  await append(`${b.path}.a`, header + text(10));
  await using tail = await b.start();
  await append(`${b.path}.b`, header + text(5, 10));
  await append(`${b.path}.c`, header + text(20, 15));
  await tail.idle();
  assert.equal(b.sink.rejects, 3);
  assert.equal(new Set(b.sink.requests()).size, 35);
  assert.equal(b.sink.kept().length, 38);
});

Deno.test("a new file with a reused inode is read from its start", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  let tail = await b.start();
  b.sink.flush();
  await Deno.remove(b.path);
  await append(b.path, text(20, 10));
  await tail.idle();
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  const { ino } = await Deno.stat(b.path);
  await Deno.remove(b.path);
  await append(b.path, text(40, 30));
  // Most file systems hand the inode out again at once; where not, this is one more new file.
  if ((await Deno.stat(b.path)).ino === ino) assert.equal(b.sink.generations("logs").length, 2);
  tail = await b.start();
  assertAll(b.sink, 70);
  await tail[Symbol.asyncDispose]();
});

Deno.test("the same inode under two paths is one file", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  await Deno.link(b.path, `${b.path}.hard`);
  await Deno.symlink(b.path, `${b.path}.soft`);
  await using _tail = await b.start();
  assertAll(b.sink, 10);
});

Deno.test("read_from: end skips what is there, but not files that appear later", async () => {
  await using b = await bench();
  await append(b.path, text(10) + "unfin");
  await append(`${b.path}.0`, "");
  const tail = await b.start({ read_from: "end" });
  assert.equal(b.sink.lines, 0);
  await append(b.path, "ished\n" + text(10));
  await append(`${b.path}.1`, text(10, 10));
  await tail.idle();
  assert.equal(b.sink.rejects, 1);
  assert.equal(b.sink.lines, 21);
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await append(`${b.path}.2`, text(10, 20));
  await using _tail = await b.start({ read_from: "end" });
  assert.equal(b.sink.lines, 31);
});

Deno.test("ignore_older leaves old files alone until they change", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  const old = new Date(Date.now() - 2 * DAY_MS);
  await Deno.utime(b.path, old, old);
  await using tail = await b.start();
  assert.equal(b.sink.lines, 0);
  await append(b.path, text(1, 10));
  await tail.idle();
  assertAll(b.sink, 11);
});

Deno.test("packed files of other kinds, and files that only seem packed, are left alone", async () => {
  await using b = await bench();
  for (const ending of ["gz", "zst", "bz2", "xz"]) await append(`${b.path}.${ending}`, text(1));
  await append(b.path, text(10));
  await using _tail = await b.start();
  assertAll(b.sink, 10);
});

Deno.test("the tail waits for the sink, and ends with what it throws", async () => {
  await using b = await bench();
  await append(b.path, text(10));
  const taken = Promise.withResolvers<void>();
  b.sink.gate = () => taken.promise;
  const started = b.start();
  await append(b.path, text(10, 10));
  taken.resolve();
  const tail = await started;
  assertAll(b.sink, 20);
  b.sink.gate = () => Promise.reject(new Error("disk on fire"));
  await append(b.path, text(1, 20));
  await assert.rejects(tail.idle(), /ended/);
  await assert.rejects(tail.finished, /disk on fire/);
});

Deno.test("a folder that is missing, vanishes and comes back is no reason to stop", async () => {
  await using b = await bench();
  const path = b.folder.join("sub", "access.log");
  await using tail = await b.start({ files: [b.folder.join("sub", "*.log"), path] });
  await b.folder.write("sub/access.log", text(10));
  await tail.idle();
  await Deno.remove(b.folder.join("sub"), { recursive: true });
  await tail.idle();
  await b.folder.write("sub/access.log", text(10, 10));
  await tail.idle();
  assertAll(b.sink, 20);
});
