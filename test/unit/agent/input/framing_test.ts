import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { Framer, MESSAGE_BYTES_MAX, MessageTooLong } from "../../../../agent/input/framing.ts";
import { lineOf } from "../../../../agent/input/messages.ts";
import { times } from "../../../harness/seed.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What comes out when bytes come in pieces that end at these places. */
function framed(text: string, ends: readonly number[]): string[] {
  const bytes = encoder.encode(text);
  const framer = new Framer();
  const cuts = [...ends.map((end) => end % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  const messages: Uint8Array[] = [];
  let start = 0;
  for (const end of cuts) {
    messages.push(...framer.push(bytes.slice(start, end)).map((message) => message.slice()));
    start = end;
  }
  return [...messages, ...framer.end()].map((message) => decoder.decode(message));
}

const text = fc.stringMatching(/^[a-z0-9 é<>]{0,20}$/);
const cuts = fc.array(fc.nat(), { maxLength: 8 });

Deno.test("messages come out whole, wherever the bytes are cut", () => {
  const messages = fc.array(fc.tuple(text, fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(messages, cuts, (messages, cuts) => {
      const sent = messages.map(([text, isCounted]) => ({ text: `<13>${text}`, isCounted }));
      const stream = sent.map(({ text, isCounted }) =>
        isCounted ? `${encoder.encode(text).length} ${text}` : `${text}\n`
      ).join("");
      assert.deepEqual(framed(stream, cuts), sent.map(({ text }) => text));
    }),
    { numRuns: times(2_000) },
  );
});

Deno.test("lines that begin with a number are lines", () => {
  const lines = ["2026 was a year", "12 monkeys", "123456789 <x", "0 <x", "{}", "7"];
  fc.assert(
    fc.property(cuts, (cuts) => assert.deepEqual(framed(`${lines.join("\n")}\n`, cuts), lines)),
  );
});

Deno.test("a last message may lack its end", () => {
  assert.deepEqual(framed("<13>one\n<13>two", []), ["<13>one", "<13>two"]);
});

Deno.test("a message longer than any ends the stream", () => {
  const framer = new Framer();
  assert.throws(
    () => framer.push(encoder.encode(`${MESSAGE_BYTES_MAX + 1} <13>`)),
    MessageTooLong,
  );
  const lines = new Framer();
  const piece = new Uint8Array(MESSAGE_BYTES_MAX).fill(0x61);
  assert.deepEqual(lines.push(piece), []);
  assert.throws(() => lines.push(piece), MessageTooLong);
});

Deno.test("a message becomes one line", () => {
  const line = (text: string) => {
    const bytes = lineOf(encoder.encode(text));
    return bytes === null ? null : decoder.decode(bytes);
  };
  assert.equal(line("<13>a\r\n"), "<13>a");
  assert.equal(line("<13>a\nb\n\0"), "<13>a#012b");
  assert.equal(line("\n"), null);
});

Deno.test("messages before one that is longer than any come out", () => {
  const framer = new Framer();
  const read = (messages: readonly Uint8Array[]) => messages.map((bytes) => decoder.decode(bytes));
  assert.deepEqual(read(framer.push(encoder.encode("<13>one\n7 <13>"))), ["<13>one"]);
  const rest = `${MESSAGE_BYTES_MAX + 1} <13>four`;
  const pushed = framer.push(encoder.encode(`two<13>three\n${rest}`));
  assert.deepEqual(read(pushed), ["<13>two", "<13>three"]);
  assert.throws(() => framer.push(encoder.encode("…")), MessageTooLong);
  assert.deepEqual(read(framer.end()), [`${rest}…`]);
});
