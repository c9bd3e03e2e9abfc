import assert from "node:assert/strict";
import { ProgressText } from "../../../../orchestrator/cli/progress_text.ts";

function progress(chunks: number, bytes: number) {
  const archive = { chunks, chunks_total: 48, bytes, bytes_total: 12_000_000 };
  return { type: "progress", answered: 1, asked: 2, rows_scanned: 1_200, archive } as const;
}

Deno.test("the archive's progress says chunks, bytes, and the time that is left at this pace", () => {
  let nowMs = 5_000;
  const text = new ProgressText(() => nowMs);
  assert.equal(
    text.of({ type: "accepted", query_id: "q-000000", mode: "rows", asked: 2 }),
    "0/2 hosts",
  );
  const { archive: _, ...live } = progress(0, 0);
  assert.equal(text.of(live), "1/2 hosts · 1200 rows read");
  const head = "1/2 hosts · 1200 rows read · archive ";
  assert.equal(text.of(progress(0, 0)), `${head}0/48 chunks, 0 B of 12 MB`);
  nowMs += 3_000;
  assert.equal(text.of(progress(12, 3_000_000)), `${head}12/48 chunks, 3.0 MB of 12 MB, 9 s left`);
  nowMs += 8_000;
  assert.equal(text.of(progress(47, 11_900_000)), `${head}47/48 chunks, 12 MB of 12 MB`);
});

Deno.test("hosts are not counted where none is asked", () => {
  const alone = { ...progress(0, 0), answered: 0, asked: 0 };
  assert.equal(new ProgressText().of(alone), "1200 rows read · archive 0/48 chunks, 0 B of 12 MB");
});

Deno.test("what was there before it began is no part of the pace", () => {
  let nowMs = 0;
  const text = new ProgressText(() => nowMs);
  assert.match(text.of(progress(24, 6_000_000)), /24\/48 chunks, 6\.0 MB of 12 MB$/);
  nowMs = 10_000;
  assert.match(text.of(progress(28, 7_000_000)), /28\/48 chunks, 7\.0 MB of 12 MB, 50 s left$/);
});
