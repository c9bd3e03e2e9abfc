/** host_inbox.ts: whatever order messages come in, a host's answer is what it sent. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { HostInbox } from "../../../../orchestrator/fanout/host_inbox.ts";
import { RESULTS_IN_FLIGHT_MAX } from "../../../../protocol/wire/messages.ts";
import type { ResultMessage } from "../../../../protocol/wire/messages.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const REQUEST = "6f2c1bb0-0000-4000-8000-000000000001";

function text(seq: number): ResultMessage {
  const values = [[`row ${seq}`]];
  const columns = [{ name: "x", type: "VARCHAR" }];
  return { request: REQUEST, seq, parts: [{ table: "p", encoding: "text", columns, values }] };
}

function slice(seq: number, offset: number, bytes: number[]): ResultMessage {
  const base64 = new Uint8Array(bytes).toBase64();
  return { request: REQUEST, seq, parts: [{ table: "p", encoding: "parquet", offset, base64 }] };
}

function end(seq: number): ResultMessage {
  const error = { code: "internal", message: "x" };
  return { request: REQUEST, seq, parts: [], end: { ok: false, error } };
}

function inbox(folder: () => string = () => assert.fail("needs no folder")): HostInbox {
  return new HostInbox({ host: "web-1", folder });
}

Deno.test("messages in any order, some of them twice, make up the same answer", () => {
  const sent = [...Array.from({ length: RESULTS_IN_FLIGHT_MAX - 1 }, (_, i) => text(i))];
  const all = [...sent, end(sent.length)];
  fc.assert(fc.property(
    fc.shuffledSubarray(all, { minLength: all.length }),
    fc.array(fc.constantFrom(...all), { maxLength: 5 }),
    (shuffled, again) => {
      using box = inbox();
      for (const message of [...again, ...shuffled, ...again]) box.take(message);
      assert.notEqual(box.end, null);
      assert.deepEqual(
        box.finish().map(({ part }) => part.encoding === "text" && part.values[0]?.[0]),
        sent.map((_, i) => `row ${i}`),
      );
    },
  ));
});

Deno.test("what is acknowledged is what is here without a gap", () => {
  using box = inbox();
  assert.equal(box.take(text(1)), -1);
  assert.equal(box.take(text(0)), 1);
  assert.equal(box.take(text(0)), 1);
  assert.equal(box.take(text(2)), 2);
});

Deno.test("the end counts only when everything before it is here", () => {
  using box = inbox();
  box.take(end(1));
  assert.equal(box.end, null);
  box.take(text(0));
  assert.notEqual(box.end, null);
});

Deno.test("slices become one file", async () => {
  await using folder = await TempFolder.make();
  using box = inbox(() => folder.path);
  box.take(slice(1, 3, [4, 5]));
  box.take(slice(0, 0, [1, 2, 3]));
  const [first, ...others] = box.finish();
  assert.deepEqual(others, []);
  assert.ok(first?.part.encoding === "parquet");
  assert.deepEqual([...await Deno.readFile(first.part.file)], [1, 2, 3, 4, 5]);
});

Deno.test("what no honest agent sends is refused", async () => {
  await using folder = await TempFolder.make();
  const refuses = (message: ResultMessage, pattern: RegExp) => {
    using box = inbox(() => folder.path);
    assert.throws(() => box.take(message), pattern);
  };
  refuses(text(RESULTS_IN_FLIGHT_MAX), /sent message 8 before 0 was acknowledged/);
  refuses(slice(0, 7, [1]), /sent bytes at 7 where 0 was next/);
});
