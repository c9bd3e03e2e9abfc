import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../agent/ingest/read_file.ts";
import type { FileId, ReadFileResult } from "../../../../agent/ingest/read_file.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { generateLines } from "../../../../orchestrator/generate/lines.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { MemorySink } from "./memory_sink.ts";
import { append, assertAll, bench, text } from "./tail_scene.ts";

async function read(sink: MemorySink, path: string): Promise<ReadFileResult> {
  const result = await readFile({ path, stream: "logs", form: plainLines("auto"), sink });
  assert.equal(result.rows + result.rejects, result.lines);
  return result;
}

const bytesOf = (value: string) => new TextEncoder().encode(value);

Deno.test("readFile() reads every line once, and the same content never again", async () => {
  await using folder = await TempFolder.make();
  const content = `${text(3_000)}no log line\n${text(2, 3_000)}`.trimEnd();
  const path = await folder.write("access.log", content);
  const sink = new MemorySink();
  const bytesRead = content.length;
  assert.deepEqual(await read(sink, path), {
    lines: 3_003,
    rows: 3_002,
    rejects: 1,
    bytesRead,
    skipped: false,
    unfinishedBytes: 0,
  });
  const none = { lines: 0, rows: 0, rejects: 0, bytesRead: 0, skipped: true, unfinishedBytes: 0 };
  assert.deepEqual(await read(sink, path), none);
  assert.deepEqual(await read(sink, await folder.write("copy.log", content)), none);
  assert.deepEqual(await read(sink, await folder.write("a.gz", gzipSync(bytesOf(content)))), none);
  assert.equal(sink.kept().length, 3_003);
});

Deno.test("readFile() unpacks every member of a .gz, whatever its name", async () => {
  await using folder = await TempFolder.make();
  const members = [text(20_000), text(20_000, 20_000), ""].map((part) => gzipSync(bytesOf(part)));
  const path = await folder.write("access.log", Uint8Array.from(members.flatMap((m) => [...m])));
  const sink = new MemorySink();
  assert.equal((await read(sink, path)).rows, 40_000);
  const plain = await folder.write("plain.log", text(40_000));
  assert.equal((await read(sink, plain)).skipped, true);
});

Deno.test("readFile() tells short files by all of their content", async () => {
  await using folder = await TempFolder.make();
  const sink = new MemorySink();
  assert.equal((await read(sink, await folder.write("a.log", text(2)))).lines, 2);
  assert.equal((await read(sink, await folder.write("b.log", text(2)))).lines, 0);
  assert.equal((await read(sink, await folder.write("c.log", text(2, 1)))).lines, 2);
  assert.equal((await read(sink, await folder.write("d.gz", gzipSync(bytesOf(text(2)))))).lines, 0);
  assert.equal((await read(sink, await folder.write("empty.log", ""))).lines, 0);
});

Deno.test("readFile() tells files with the same first KiB apart", async () => {
  await using folder = await TempFolder.make();
  const sink = new MemorySink();
  const header = "#".repeat(1_500) + "\n";
  const first = await folder.write("a.log", header + text(10));
  const second = await folder.write("b.log", header + text(20, 10));
  assert.equal((await read(sink, first)).lines, 11);
  assert.equal((await read(sink, second)).lines, 21);
  assert.equal((await read(sink, first)).lines + (await read(sink, second)).lines, 0);
});

Deno.test("readFile() adds to what was read of a file before it grew or broke off", async () => {
  await using folder = await TempFolder.make();
  const sink = new MemorySink();
  const path = await folder.write("access.log", text(100));
  await read(sink, path);
  await Deno.writeTextFile(path, text(50, 100), { append: true });
  assert.equal((await read(sink, path)).lines, 50);

  const large = await folder.write("large.log", text(60_000, 1_000));
  let batches = 0;
  sink.gate = () => {
    if (++batches === 3) throw new Error("killed");
    if (batches === 2) sink.flush();
    return Promise.resolve();
  };
  await assert.rejects(read(sink, large), /killed/);
  sink.crash();
  sink.gate = () => Promise.resolve();
  const { lines } = await read(sink, large);
  assert(lines > 0 && lines < 60_000, `${lines} lines were missing`);
  assert.equal(sink.kept().length, 60_150);
  assert.equal(new Set(sink.requests()).size, 60_150);
  assert.equal((await read(sink, large)).skipped, true);
});

Deno.test("readFile() leaves the unfinished last line of a file that grows to the tail", async () => {
  for (const bytes of [250, 1_500]) {
    await using b = await bench();
    const content = text(30);
    await append(b.path, content.slice(0, bytes));
    const packed = await b.folder.write("copy.gz", gzipSync(bytesOf(content.slice(0, bytes))));
    const { dev, ino } = await Deno.stat(b.path);
    const options = {
      stream: "logs",
      form: plainLines("auto"),
      sink: b.sink,
      grows: (file: FileId) => file.device === dev && file.inode === ino,
    } as const;
    const first = await readFile({ path: b.path, ...options });
    assert.equal(first.bytesRead + first.unfinishedBytes, bytes);
    assert.ok(first.lines > 0 && first.unfinishedBytes > 0);
    const again = await readFile({ path: packed, ...options });
    assert.deepEqual([again.skipped, again.unfinishedBytes], [true, first.unfinishedBytes]);
    await using tail = await b.start();
    await append(b.path, content.slice(bytes));
    await tail.idle();
    assertAll(b.sink, 30);
  }
});

Deno.test("readFile() takes JSON and combined lines from one file", async () => {
  await using folder = await TempFolder.make();
  const range = { seed: 1, count: 50, startMs: 0, endMs: 3_600_000 };
  const lines = [
    ...generateLines({ ...range, format: "json" }),
    ...generateLines({ ...range, format: "combined_time" }),
  ];
  const sink = new MemorySink();
  const path = await folder.write("mixed.log", lines.join("\n"));
  assert.equal((await read(sink, path)).rows, 100);
  assert(sink.kept().every(({ text }) => text === null), "columns rebuild every line");
});

Deno.test("readFile() says what is wrong with a file that it cannot read", async () => {
  await using folder = await TempFolder.make();
  const sink = new MemorySink();
  const packed = gzipSync(bytesOf(text(1_000)));
  const broken = await folder.write("broken.gz", packed.subarray(0, packed.length / 2));
  const usage = (message: RegExp) => (error: unknown) =>
    error instanceof LogvendError && error.code === "usage" && message.test(error.message);
  await assert.rejects(read(sink, folder.join("none.log")), usage(/Cannot read .*none\.log/));
  await assert.rejects(read(sink, folder.path), usage(/it is a folder/));
  await assert.rejects(read(sink, broken), usage(/Cannot unpack .*broken\.gz/));
});
