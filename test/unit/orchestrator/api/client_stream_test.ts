/** Responses to clients that read slowly, stop reading, or go. */
import assert from "node:assert/strict";
import { ClientStream, streamed } from "../../../../orchestrator/api/client_stream.ts";

const STALL_MS = 100;

Deno.test("a client that takes nothing any more has gone", async () => {
  const stream = new ClientStream(STALL_MS);
  const reader = stream.readable.getReader();
  const first = stream.write(new Uint8Array([1]));
  assert.deepEqual((await reader.read()).value, new Uint8Array([1]));
  await first;
  const stalled = { code: "timeout", message: "The client took nothing of the answer for 100 ms" };
  const writes = async () => {
    for (;;) await stream.write(new Uint8Array(1));
  };
  await assert.rejects(writes, stalled);
  assert.equal(stream.gone.aborted, true);
  await assert.rejects(reader.read(), stalled);
});

Deno.test("blocks are asked for as they are read, and no more when nobody reads", async () => {
  let ended = false;
  async function* blocks() {
    try {
      for (;;) yield await Promise.resolve(new Uint8Array(1));
    } finally {
      ended = true;
    }
  }
  const reader = streamed(blocks(), STALL_MS).getReader();
  for (let i = 0; i < 10; i++) assert.equal((await reader.read()).value?.length, 1);
  assert.equal(ended, false);
  await assert.rejects(async () => {
    await new Promise((resolve) => setTimeout(resolve, 2 * STALL_MS));
    for (;;) await reader.read();
  }, { code: "timeout" });
  assert.equal(ended, true);
});

Deno.test("what fails among blocks breaks the stream off", async () => {
  async function* blocks() {
    yield await Promise.resolve(new Uint8Array(1));
    throw new Error("no more");
  }
  const reader = streamed(blocks(), STALL_MS).getReader();
  await assert.rejects(async () => {
    for (;;) await reader.read();
  }, /no more/);
});
