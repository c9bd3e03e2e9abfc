import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { eventually } from "../../../harness/eventually.ts";
import { append, assertAll, bench, text } from "./tail_scene.ts";
import { times } from "../../../harness/seed.ts";

Deno.test("copytruncate is no second file: its copy adds only what was not read yet", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  await using tail = await b.start();
  await Deno.copyFile(b.path, `${b.path}.1`);
  await tail.idle();
  assertAll(b.sink, 100);
  await append(b.path, text(20, 100));
  await Deno.copyFile(b.path, `${b.path}.1`);
  await Deno.truncate(b.path);
  await append(b.path, text(5, 120));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 125);
});

Deno.test("a copy that is being made, or that lacks the last lines, is not read again", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  await using tail = await b.start();
  await append(`${b.path}.1`, text(40));
  await tail.idle();
  assertAll(b.sink, 100);
  await append(`${b.path}.1`, text(60, 40));
  await tail.idle();
  await append(b.path, text(20, 100));
  await tail.idle();
  await Deno.truncate(b.path);
  await append(b.path, text(10, 120));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 130);

  // All at once, so that the tail sees neither the copy nor the original on the way.
  await append(b.path, text(100, 130));
  await tail.idle();
  const cut = await Deno.readTextFile(b.path);
  await append(b.path, text(10, 230));
  await tail.idle();
  await Deno.writeTextFile(`${b.path}.2`, cut);
  await Deno.truncate(b.path);
  await append(b.path, text(10, 240));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 250);
});

Deno.test("a small file that may be a copy under way is waited for where nobody looks later", async () => {
  await using b = await bench();
  await append(b.path, text(2));
  await append(`${b.path}-other`, text(2)); // it has just been written, and says the same
  await using tail = await b.start();
  await tail.idle({ isLast: true });
  assert.deepEqual(b.sink.requests(), ["/item/0", "/item/0", "/item/1", "/item/1"]);
});

Deno.test("copytruncate of less than 1 KiB is no second file, whenever somebody looks", async () => {
  for (let looks = 0; looks < 16; looks++) {
    await using b = await bench();
    await append(b.path, text(4));
    await using tail = await b.start({}, b.clock);
    const copy = `${b.path}.1`;
    const steps = [
      () => append(copy, ""),
      () => append(copy, text(4).slice(0, 130)),
      () => append(copy, text(4).slice(130)),
      () => Deno.truncate(b.path),
    ];
    for (const [i, step] of steps.entries()) {
      await step();
      if ((looks & 1 << i) !== 0) await tail.idle();
    }
    await append(b.path, text(3, 4));
    await tail.idle();
    await tail.idle();
    assertAll(b.sink, 7);
  }
});

Deno.test("what a small copy has beyond what was read is read, what it lacks is no second file", async () => {
  await using b = await bench();
  await append(b.path, text(3));
  let tail = await b.start({}, b.clock);
  await append(b.path, text(2, 3));
  await Deno.copyFile(b.path, `${b.path}.2`);
  await Deno.truncate(b.path);
  await append(b.path, text(3, 5));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 8);
  await Deno.copyFile(b.path, `${b.path}.1`);
  await append(b.path, text(2, 8));
  await tail.idle();
  await Deno.truncate(b.path);
  await append(b.path, text(3, 10));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 13);
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  tail = await b.start({}, b.clock);
  await tail.idle();
  await tail[Symbol.asyncDispose]();
  assertAll(b.sink, 13);
});

Deno.test("small copies that were made while the agent was down are no second files", async () => {
  await using b = await bench();
  await append(b.path, text(3));
  const tail = await b.start();
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await append(b.path, text(1, 3));
  await Deno.copyFile(b.path, `${b.path}.1`);
  await Deno.truncate(b.path);
  await append(b.path, text(2, 4));
  await using _tail = await b.start();
  assertAll(b.sink, 6);
});

Deno.test("small files with the same content are two files", async () => {
  await using b = await bench();
  await append(`${b.path}.a`, text(2));
  await append(`${b.path}.b`, text(2));
  const tail = await b.start();
  await eventually(() => b.sink.kept().length === 4);
  await append(`${b.path}.c`, text(2));
  await eventually(() => b.sink.kept().length === 6);
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await using _tail = await b.start();
  assert.equal(b.sink.kept().length, 6);
});

Deno.test("a copy that lacks the last lines stays one after a restart", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  const tail = await b.start();
  await Deno.copyFile(b.path, `${b.path}.1`);
  await append(b.path, text(20, 100));
  await tail.idle();
  await Deno.truncate(b.path);
  await append(b.path, text(10, 120));
  await tail.idle();
  await tail.idle();
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await using again = await b.start();
  await again.idle();
  assertAll(b.sink, 130);
});

Deno.test("of a copy that goes its own way, only what is its own is read", async () => {
  await using b = await bench();
  await append(b.path, text(100));
  const tail = await b.start();
  await Deno.copyFile(b.path, `${b.path}.copy`);
  await tail.idle();
  await append(`${b.path}.copy`, text(10, 100));
  await append(b.path, text(10, 110));
  await tail.idle();
  await tail.idle();
  assertAll(b.sink, 120);
  b.sink.flush();
  await tail[Symbol.asyncDispose]();
  await append(`${b.path}.copy`, text(10, 120));
  await using _tail = await b.start();
  assertAll(b.sink, 130);
});

Deno.test("what a small file began with is forgotten when it was written anew before it was read", async () => {
  await using b = await bench();
  await append(b.path, text(25_000)); // three reads, which a file that comes to its path waits for
  let reached = Promise.withResolvers<() => void>();
  b.sink.gate = () => new Promise((resolve) => reached.resolve(resolve));
  const pass = async () => {
    const go = await reached.promise;
    reached = Promise.withResolvers();
    go();
    await reached.promise;
  };
  let copiedMs: number | null = null; // from then on no time passes, however busy the machine is
  const monotonicMs = () => performance.now();
  await using tail = b.begin({}, { nowMs: () => copiedMs ?? Date.now(), monotonicMs });
  await reached.promise;
  await Deno.rename(b.path, `${b.path}.old`);
  await append(b.path, text(2, 25_000));
  const looked = tail.idle();
  const isFollowed = () => b.sink.generations("logs").length === 2;
  while (!isFollowed()) await pass();
  await Deno.writeTextFile(b.path, text(2, 25_002));
  copiedMs = Date.now();
  await Deno.copyFile(b.path, `${b.path}.1`);
  const lookedAgain = tail.idle();
  await pass();
  b.sink.gate = () => Promise.resolve();
  (await reached.promise)();
  await Promise.all([looked, lookedAgain]);
  await Deno.truncate(b.path);
  await tail.idle();
  const last = b.sink.requests().filter((request) => request > "/item/25" && request.length > 10);
  assert.deepEqual(last, ["/item/25002", "/item/25003"]);
});

Deno.test("however small logs are, copytruncate, looks and kills lose and repeat no line", async () => {
  const step = fc.constantFrom("write", "write", "look", "flush", "copy", "copy, look", "kill");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      await using b = await bench();
      await append(b.path, "");
      // From a copy to the emptying no time passes, however busy the machine is.
      let copiedMs: number | null = null;
      const monotonicMs = () => performance.now();
      const clock = { nowMs: () => copiedMs ?? Date.now(), monotonicMs };
      let tail = b.begin({}, clock);
      let [lines, copies] = [0, 0];
      for (const step of steps) {
        const { size } = await Deno.stat(b.path);
        if (step === "write" && size < 800) {
          await append(b.path, text(2, lines));
          lines += 2;
        }
        if (step === "look") await tail.idle();
        if (step === "flush") await b.sink.flush();
        if (step.startsWith("copy") && lines > 0) {
          copiedMs = Date.now();
          await Deno.copyFile(b.path, `${b.path}.${copies++}`);
          if (step === "copy, look") await tail.idle();
          await Deno.truncate(b.path);
          copiedMs = null;
        }
        if (step === "kill") {
          await tail[Symbol.asyncDispose]();
          b.sink.crash();
          tail = b.begin({}, clock);
        }
      }
      for (let look = 0; look < 3; look++) await tail.idle();
      await eventually(() => b.sink.lines >= lines);
      await tail[Symbol.asyncDispose]();
      assertAll(b.sink, lines);
    }),
    { numRuns: times(60) },
  );
});
