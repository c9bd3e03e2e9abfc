import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Gap } from "../../../../../agent/store/batch.ts";
import { databasePath } from "../../../../../agent/store/database/database.ts";
import { batch, folder, GENERATION, open, START_MS } from "../scene.ts";

const GAP: Gap = {
  generation: GENERATION.id,
  stream: "logs",
  path: GENERATION.path,
  offset: 50,
  bytes: 30,
  reason: "truncated",
  seenMs: START_MS,
};

/** What agent.db says of gaps: where each begins, and its bytes. */
function gapsOf(dataDir: string): unknown[] {
  using database = new DatabaseSync(databasePath(dataDir), { readOnly: true });
  return database.prepare("SELECT generation, start_offset, bytes, reason FROM gaps").all()
    .map((row) => ({ ...row }));
}

Deno.test("a gap is durable with the flush, and shrinks by what is read of it after all", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  store.addGap(GAP);
  assert.deepEqual(gapsOf(data.path), []);
  await store.flush();
  const row = { generation: GENERATION.id, reason: "truncated" };
  assert.deepEqual(gapsOf(data.path), [{ ...row, start_offset: 50, bytes: 30 }]);
  await store.append(batch(5, 2, () => START_MS)); // of a copy, say
  await store.flush();
  assert.deepEqual(gapsOf(data.path), [{ ...row, start_offset: 70, bytes: 10 }]);
  await store.append(batch(7, 1, () => START_MS));
  await store.flush();
  assert.deepEqual(gapsOf(data.path), []);
});

Deno.test("gaps are written even when nothing else is, once for every generation", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.flush();
    store.addGap(GAP);
    store.addGap({ ...GAP, bytes: 40, reason: "gone" });
  }
  const row = { generation: GENERATION.id, start_offset: 50, bytes: 40, reason: "gone" };
  assert.deepEqual(gapsOf(data.path), [row]);
});

Deno.test("an agent.db of the format before gaps gets their table", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
  }
  {
    using database = new DatabaseSync(databasePath(data.path));
    database.exec(
      `DROP TABLE gaps; DROP TABLE verified; DROP TABLE removed; DROP TABLE digests;
       DROP TABLE streams; DROP TABLE query_log; DROP TABLE denied; DROP TABLE touched; DROP TABLE window_state; DROP TABLE archived;
       DROP TABLE erasures_applied; DROP TABLE erasures; DROP TABLE former_generations; DROP TABLE archived_lines;
       DROP TABLE packed_files;
       ALTER TABLE generations DROP COLUMN began_offset;
       UPDATE meta SET value = '2'; PRAGMA user_version = 0`,
    );
  }
  {
    await using store = await open(data.path);
    assert.equal(store.generations("logs").length, 1);
    store.addGap(GAP);
  }
  assert.equal(gapsOf(data.path).length, 1);
});
