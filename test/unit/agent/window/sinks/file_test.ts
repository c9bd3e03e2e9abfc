/** The file sink: whole lines, whatever happens to the file meanwhile. */
import assert from "node:assert/strict";
import { fileSink, streamSink } from "../../../../../agent/window/sinks/file.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { NO_END, outgoing } from "./documents.ts";

Deno.test("events are lines of a file, which may be moved away and grows no further than it may", async () => {
  await using folder = await TempFolder.make();
  const path = folder.join("events.jsonl");
  await using sink = fileSink({ path, bytesMax: 150 });
  const lines = async (name = path) => (await Deno.readTextFile(name)).trimEnd().split("\n");
  await sink.send(outgoing(2), NO_END);
  assert.deepEqual((await lines()).map((line) => JSON.parse(line).count), [0, 1]);
  await Deno.rename(path, folder.join("moved"));
  await sink.send(outgoing(4, 2), NO_END);
  assert.equal((await lines()).length, 4);
  await sink.send(outgoing(1, 6), NO_END); // it was full
  assert.deepEqual([(await lines(`${path}.1`)).length, (await lines()).length], [4, 1]);
});

Deno.test("a folder that is not there is an error, and no event is taken", async () => {
  await using folder = await TempFolder.make();
  await using sink = fileSink({ path: folder.join("no", "events.jsonl"), bytesMax: 1e6 });
  await assert.rejects(sink.send(outgoing(1), NO_END), Deno.errors.NotFound);
});

Deno.test("output that nobody reads is waited for until the signal, and goes on in whole lines", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  await using sink = streamSink(writable);
  const stuck = sink.send(outgoing(1), AbortSignal.timeout(50));
  await assert.rejects(stuck, /Nobody reads standard output: /);
  await assert.rejects(sink.send(outgoing(1), AbortSignal.timeout(50)), /Nobody reads/);
  const lines = readable.pipeThrough(new TextDecoderStream()).getReader();
  const again = sink.send(outgoing(2), NO_END);
  const [first, second] = [await lines.read(), await lines.read()];
  await again;
  assert.deepEqual([first, second].map(({ value = "" }) => value.split("\n").length - 1), [1, 2]);
});
