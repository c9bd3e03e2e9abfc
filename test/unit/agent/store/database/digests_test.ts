import assert from "node:assert/strict";
import { Catalog } from "../../../../../agent/store/database/catalog.ts";
import { databasePath, openSoundDatabase } from "../../../../../agent/store/database/database.ts";
import { transaction } from "../../../../../agent/store/database/transaction.ts";
import { wrongDigest } from "../../../../../agent/store/database/digests.ts";
import { batch, folder, GENERATION, HOUR_MS, open, START_MS } from "../scene.ts";

/** Leaves an agent.db that names generations, parts and chunks. */
async function fill(path: string) {
  await using store = await open(path);
  store.putGeneration({ ...GENERATION, inode: 2 ** 63 });
  await store.append(batch(0, 10, () => START_MS));
  await store.sealAll();
  await store.append(batch(10, 10, (line) => START_MS + (line % 3) * HOUR_MS));
}

Deno.test("whatever a store commits has its digest", async () => {
  await using data = await folder();
  await fill(data.path);
  const { database, isNew } = await openSoundDatabase(data.path);
  try {
    assert.equal(isNew, false);
    assert.equal(wrongDigest(database), null);
    database.exec("UPDATE generations SET durable_offset = 0; DELETE FROM files");
    assert.equal(wrongDigest(database), null);
    assert.throws(() =>
      transaction(database, () => {
        database.exec("UPDATE generations SET durable_offset = 7");
        throw new Error("not committed");
      })
    );
    assert.equal(wrongDigest(database), null);
  } finally {
    database.close();
  }
});

Deno.test("a flipped bit in agent.db is noticed, or is in nothing that matters", async () => {
  await using data = await folder();
  await fill(data.path);
  const original = await Deno.readFile(databasePath(data.path));
  const { rows: wanted } = await rowsAfterStart(original);
  const places = [...original.keys()].filter((at) => original[at] !== 0);
  let noticed = 0;
  for (let i = 0; i < 150; i++) {
    const bytes = original.slice();
    const at = places[(i * 7_919) % places.length] ?? 0;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << i % 8);
    const { rows, isDamaged } = await rowsAfterStart(bytes);
    if (isDamaged) noticed++;
    else assert.equal(rows, wanted, `byte ${at}, bit ${i % 8}`);
  }
  assert.ok(noticed > 50, `${noticed} noticed`);
});

async function rowsAfterStart(bytes: Uint8Array) {
  await using data = await folder();
  await Deno.writeFile(databasePath(data.path), bytes);
  const { database, damaged } = await openSoundDatabase(data.path);
  try {
    const catalog = new Catalog(database);
    const rows = [catalog.generations(), [...catalog.origins()], catalog.allFiles()];
    return { rows: JSON.stringify([...rows, catalog.sealings()]), isDamaged: damaged !== null };
  } finally {
    database.close();
  }
}
