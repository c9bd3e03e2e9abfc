import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { newGeneration } from "../../../../agent/ingest/identity.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import { dropping } from "../../../../agent/rules/drop.ts";
import type { DropRule } from "../../../../agent/rules/drop.ts";
import type { BatchSink } from "../../../../agent/store/batch.ts";
import { MemorySink } from "../ingest/memory_sink.ts";
import { plainBatch } from "../ingest/plain_batch.ts";
import type { PlainBatch } from "../ingest/plain_batch.ts";
import { combinedLine } from "../../../harness/lines.ts";
import { times } from "../../../harness/seed.ts";

const GENERATION = newGeneration("logs", { path: "/access.log", device: 1, inode: 1 }, 0);

/** What reaches the store of the lines. */
async function reaching(lines: string, ...drop: DropRule[]): Promise<PlainBatch[]> {
  const taken: PlainBatch[] = [];
  const store: BatchSink = {
    generations: () => [],
    shape: () => ACCESS_SHAPE,
    putGeneration: () => {},
    addGap: () => {},
    append: (batch) => Promise.resolve(void taken.push(plainBatch(batch))),
    flush: () => Promise.resolve(),
  };
  const place = { host: "web-1", region: "eu" };
  await using sink = await dropping(store, [{ name: "logs", format: "combined", drop }], place);
  sink.putGeneration(GENERATION);
  const bytes = new TextEncoder().encode(lines);
  const maker = new BatchMaker(GENERATION.id, plainLines("combined"), () => 0);
  const cut = { kind: "lines", consumed: bytes.length, offset: 0 } as const;
  for (const batch of maker.batches({ cut, window: bytes, before: new Uint8Array() })) {
    await sink.append(batch);
  }
  return taken;
}

const outcome = (batches: readonly PlainBatch[]) => ({
  kept: batches.flatMap(({ rows }) => rows.request),
  dropped: batches.flatMap(({ dropped }) => dropped.rule),
});

Deno.test("the first rule that is true drops a line; what cannot be computed keeps it", async () => {
  const text = [0, 1, 2, 3].map(combinedLine).join("") + "no log line\n";
  const batches = await reaching(
    text,
    { name: "first", when: "request = '/item/1'" },
    { name: "second", when: "status = 200 AND http_user_agent::INTEGER = 7" },
    { name: "third", when: "line LIKE '%/item/1 %' OR (host = 'web-1' AND request = '/item/2')" },
    { name: "fourth", when: "remote_user = NULL" },
  );
  assert.deepEqual(outcome(batches), {
    kept: ["/item/0", "/item/3"],
    dropped: ["first", "third"],
  });
  assert.equal(batches[0]?.rejects.length, 1);
});

Deno.test("every line is in exactly one place, and what is kept is as it was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 40 }), fc.nat(3), async (numbers, rest) => {
      const text = numbers.map(combinedLine).join("");
      const [before] = await reaching(text);
      const [after] = await reaching(text, {
        name: "some",
        when: `body_bytes_sent % 4 = ${rest}`,
      });
      if (before === undefined || after === undefined) return assert.equal(text, "");
      const isKept = (_: unknown, i: number) => (numbers[i] ?? 0) % 4 !== rest;
      for (const [name, column] of Object.entries(before.rows)) {
        assert.deepEqual(
          Object.entries(after.rows).find(([n]) => n === name)?.[1],
          column.filter(isKept),
        );
      }
      const { dropped } = after;
      assert.equal(after.rows.ts.length + dropped.ts.length, after.lines);
      assert.deepEqual(
        dropped.line_length,
        before.rows.line_length.filter((v, i) => !isKept(v, i)),
      );
      assert.deepEqual([after.startOffset, after.endOffset], [0, text.length]);
    }),
    { numRuns: times(20) },
  );
});

Deno.test("rules stand before the rows alone: what the store notes of packed files is told through them", async () => {
  const store = new MemorySink();
  const streams = [{ name: "logs", format: "combined" as const, drop: [] }];
  await using sink = await dropping(store, streams, { host: "web-1", region: "eu" });
  assert.equal(sink.packed, store.packed);
});
