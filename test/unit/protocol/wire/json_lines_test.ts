/** Values over pipes, however the pipe cuts them. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { readJsonLines, writeJsonLine } from "../../../../protocol/wire/json_lines.ts";

Deno.test("values come out as they went in, wherever the stream is cut", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.jsonValue()),
    fc.integer({ min: 1, max: 40 }),
    async (values, blockBytes) => {
      const whole = await written(values);
      const blocks = Array.from(
        { length: Math.ceil(whole.length / blockBytes) },
        (_, i) => whole.slice(i * blockBytes, (i + 1) * blockBytes),
      );
      const expected: unknown = JSON.parse(JSON.stringify(values));
      assert.deepEqual(await Array.fromAsync(readJsonLines(ReadableStream.from(blocks))), expected);
    },
  ));
});

Deno.test("an unfinished last line is no value, and a line that is no JSON an error", async () => {
  const text = (content: string) => ReadableStream.from([new TextEncoder().encode(content)]);
  assert.deepEqual(await Array.fromAsync(readJsonLines(text('1\n{"a":'))), [1]);
  await assert.rejects(Array.fromAsync(readJsonLines(text("1\n{\n"))), /no JSON/);
});

async function written(values: readonly unknown[]): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const bytes = new Response(readable).bytes();
  const writer = writable.getWriter();
  for (const value of values) await writeJsonLine(writer, value);
  await writer.close();
  return await bytes;
}
