/** Lines with raw bytes behind them, however they are cut into blocks. */
import assert from "node:assert/strict";
import { EventReader } from "../../../../orchestrator/cli/event_reader.ts";

const encoder = new TextEncoder();

/** The text in blocks of so many bytes. */
function blocksOf(text: string, size: number) {
  const bytes = encoder.encode(text);
  const starts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => i * size);
  return ReadableStream.from(starts.map((at) => bytes.slice(at, at + size)));
}

Deno.test("lines and the bytes behind them are read wherever blocks begin", async () => {
  for (const size of [1, 2, 3, 7, 100]) {
    await using reader = new EventReader(blocksOf("één\na\nb\nlast", size));
    assert.equal(await reader.line(), "één");
    const raw = await new Blob(await Array.fromAsync(reader.bytes(4))).text();
    assert.equal(raw, "a\nb\n");
    assert.deepEqual(await Array.fromAsync(reader.bytes(0)), []);
    assert.equal(await reader.line(), null, "a line that is not whole");
  }
});

Deno.test("bytes that do not come are an error", async () => {
  await using reader = new EventReader(blocksOf("abc", 2));
  const error = { code: "unavailable", message: "The answer was cut off: rows are missing" };
  await assert.rejects(Array.fromAsync(reader.bytes(4)), error);
});
