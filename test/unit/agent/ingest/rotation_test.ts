import assert from "node:assert/strict";
import { Tail } from "../../../../agent/ingest/tail.ts";
import type { StreamConfig } from "../../../../agent/stream_config.ts";
import { combinedLine } from "../../../harness/lines.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { MemorySink } from "./memory_sink.ts";

function streamOf(folder: TempFolder): StreamConfig {
  return {
    name: "logs",
    format: "auto",
    index: [],
    redact: [],
    drop: [],
    files: [folder.join("access.log*")],
    stdin: false,
    read_from: "beginning",
    ignore_older: 86_400_000,
  };
}

function text(count: number, first: number): string {
  return Array.from({ length: count }, (_, i) => combinedLine(first + i)).join("");
}

type Rotate = (path: string, number: number) => Promise<void>;

/** Writes, rotates and kills the tail at moments that have nothing to do with its reading. */
async function survive(rotate: Rotate) {
  await using folder = await TempFolder.make();
  const path = folder.join("access.log");
  const sink = new MemorySink();
  const options = { streams: [streamOf(folder)], sink };
  let tail = Tail.start(options);
  let written = 0;
  for (let round = 1; round <= 24; round++) {
    for (let piece = 0; piece < 10; piece++) {
      const content = text(40, written);
      const middle = 1_500 + round * 37;
      await Deno.writeTextFile(path, content.slice(0, middle), { append: true });
      if (piece % 3 === 0) await tail.idle();
      await Deno.writeTextFile(path, content.slice(middle), { append: true });
      written += 40;
    }
    if (round % 2 === 0) await rotate(path, round);
    if (round % 5 === 0) sink.flush();
    if (round % 7 === 0) {
      await tail[Symbol.asyncDispose]();
      sink.crash();
      tail = Tail.start(options);
    }
  }
  await tail.idle();
  await tail.idle();
  await tail[Symbol.asyncDispose]();
  assert.equal(sink.rejects, 0);
  assert.equal(sink.kept().length, written);
  assert.equal(new Set(sink.requests()).size, written);
}

Deno.test("rename rotation and kills at any moment lose and repeat no line", async () => {
  await survive(async (path, number) => await Deno.rename(path, `${path}.${number}`));
});

Deno.test("copytruncate rotation and kills at any moment lose and repeat no line", async () => {
  await survive(async (path, number) => {
    await Deno.copyFile(path, `${path}.${number}`);
    await Deno.truncate(path);
  });
});

Deno.test("a deleted file is let go after a while", async () => {
  await using folder = await TempFolder.make();
  const path = await folder.write("access.log", text(10, 0));
  const sink = new MemorySink();
  let passedMs = 0;
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() + passedMs };
  await using tail = Tail.start({ streams: [streamOf(folder)], sink, clock });
  await tail.idle();
  await Deno.remove(path);
  await tail.idle();
  assert.equal(openFiles(folder.path), 1);
  passedMs = 61_000;
  await tail.idle();
  await tail.idle();
  assert.equal(openFiles(folder.path), 0);
  assert.equal(sink.lines, 10);
});

Deno.test("more files than may be open are all read, and none stays behind", async () => {
  await using folder = await TempFolder.make();
  const sink = new MemorySink();
  const paths = Array.from({ length: 300 }, (_, i) => folder.join(`access.log.${i}`));
  for (const [i, path] of paths.entries()) await Deno.writeTextFile(path, text(2, 2 * i));
  await using tail = Tail.start({ streams: [streamOf(folder)], sink });
  await tail.idle();
  for (const [i, path] of paths.entries()) {
    await Deno.writeTextFile(path, text(1, 600 + i), { append: true });
  }
  await tail.idle();
  assert.equal(sink.kept().length, 900);
  assert.equal(new Set(sink.requests()).size, 900);
  assert(openFiles(folder.path) <= 256);
});

/** Files of a folder that this process holds open (Linux). */
function openFiles(folder: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false; // the descriptor of this listing itself
    }
  }).length;
}
