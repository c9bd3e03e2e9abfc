import assert from "node:assert/strict";
import { Spool } from "../../../../agent/input/spool.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { bench } from "../ingest/tail_scene.ts";
import { configured, openStream, readInto } from "../ingest/events/scene.ts";

const encoder = new TextEncoder();

async function filesIn(folder: string): Promise<{ path: string; text: string }[]> {
  const found: { path: string; text: string }[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    found.push({ path, text: await Deno.readTextFile(path) });
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

Deno.test("files are ended when they are large, and removed when all of them is durable", async () => {
  await using home = await TempFolder.make();
  const folder = home.join("spool");
  const durable = new Map<string, number>();
  await using spool = await Spool.open({
    folder,
    generations: () => [...durable].map(([path, offset]) => ({ path, offset })),
    limits: { fileBytes: 10, spoolBytes: 30 },
  });
  for (const line of ["first line", "second line", "third"]) {
    await spool.write([encoder.encode(line)]);
  }
  const files = await filesIn(folder);
  assert.deepEqual(files.map(({ text }) => text), ["first line\n", "second line\n", "third\n"]);
  const [first, second] = files;
  durable.set(first?.path ?? "", 11);
  durable.set(second?.path ?? "", 11);
  await spool.clean();
  assert.deepEqual((await filesIn(folder)).map(({ text }) => text), ["second line\n", "third\n"]);
});

Deno.test("a spool is full until what it holds has been read", async () => {
  await using home = await TempFolder.make();
  const folder = home.join("spool");
  const durable = new Map<string, number>();
  await using spool = await Spool.open({
    folder,
    generations: () => [...durable].map(([path, offset]) => ({ path, offset })),
    limits: { fileBytes: 1_000, spoolBytes: 20 },
  });
  await spool.write([encoder.encode("x".repeat(19))]);
  assert.ok(spool.isFull);
  const [file] = await filesIn(folder);
  durable.set(file?.path ?? "", 20);
  await spool.clean();
  assert.ok(!spool.isFull);
  assert.equal((await filesIn(folder)).length, 1, "it is still written to");
});

Deno.test("a file whose lines are rows in memory only stays: the agent may be killed", async () => {
  await using home = await TempFolder.make();
  const folder = home.join("spool");
  const stream = configured({ format: "raw" });
  await using store = await openStream(home.join("data"), stream);
  await using spool = await Spool.open({
    folder,
    generations: () => store.durableGenerations("logs"),
    limits: { fileBytes: 1, spoolBytes: 1_000 },
  });
  for (const line of ["first line", "second line"]) await spool.write([encoder.encode(line)]);
  const [first, second] = await filesIn(folder);
  await readInto(store, stream, first?.path ?? "");
  await spool.clean();
  assert.deepEqual(await filesIn(folder), [first, second]);
  await store.flush();
  await spool.clean();
  assert.deepEqual(await filesIn(folder), [second]);
});

Deno.test("what cannot be written waits until it can, and comes once", async () => {
  await using home = await TempFolder.make();
  const folder = home.join("spool");
  const limits = { fileBytes: 1, spoolBytes: 1_000 };
  await using spool = await Spool.open({ folder, generations: () => [], limits });
  await spool.write([encoder.encode("first line")]);
  await Deno.rename(folder, `${folder}.away`);
  const { signal } = new AbortController();
  const waits = spool.writeInTurn([encoder.encode("second line")], signal);
  await assert.rejects(spool.write([encoder.encode("a datagram")]), Deno.errors.NotFound);
  await Deno.rename(`${folder}.away`, folder);
  await waits;
  const texts = (await filesIn(folder)).map(({ text }) => text);
  assert.deepEqual(texts, ["first line\n", "second line\n"]);
});

Deno.test("messages that say the same as others before are read too, from the first on", async () => {
  await using scene = await bench();
  const { folder, sink } = scene;
  const spooled = "heartbeat ok\n".repeat(500);
  await folder.write("1.log", spooled);
  const files = [folder.join("*.log")];
  const spool = folder.path;
  await using tail = await scene.start({ format: "raw", files, spool, read_from: "end" });
  await folder.write("2.log", spooled);
  await tail.idle();
  await Deno.remove(folder.join("1.log"));
  await folder.write("3.log", spooled);
  await tail.idle();
  assert.equal(sink.lines, 1_500);
});
