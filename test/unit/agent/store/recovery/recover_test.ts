import assert from "node:assert/strict";
import { join } from "node:path";
import { accountReport } from "../../../../../agent/account/report.ts";
import { databasePath } from "../../../../../agent/store/database/database.ts";
import type { Batch } from "../../../../../agent/store/batch.ts";
import { readBooks } from "../../../../../agent/store/files/stored_files.ts";
import type { Store } from "../../../../../agent/store/store.ts";
import { batch, copy, COUNT, folder, GENERATION, HOUR_MS, open, read, START_MS } from "../scene.ts";

/** Every fifth line of these is a reject, and there is an hour for every third. */
function mixed(startLine: number, count: number): Batch {
  const { rejects, ...rest } = batch(startLine, count, (line) => START_MS + (line % 3) * HOUR_MS);
  const line = new TextEncoder().encode("no line");
  rejects.push({
    ts: BigInt(START_MS) * 1_000n,
    reason: "no_format",
    line,
    line_offset: (startLine + count) * 10,
    length: 10,
  });
  return { ...rest, rejects, endOffset: rest.endOffset + 10, lines: count + 1 };
}

async function rejectsOf(store: Store): Promise<number> {
  await using snapshot = await store.snapshot({ tables: [], since: null, until: null });
  return snapshot.rejects;
}

/** Sealed hours, late parts, a generation that grew: 30 rows and 3 rejects, read to byte 330. */
async function fill(store: Store) {
  store.putGeneration({ ...GENERATION, headSha256: "ab", headBytes: 8 });
  await store.append(mixed(0, 10));
  await store.flush();
  await store.append(mixed(11, 10));
  await store.flush();
  await store.sealAll();
  await store.append(mixed(22, 10));
  await store.flush();
}

const clock = () => START_MS + 5 * HOUR_MS;

Deno.test("agent.db is made anew from the files: all rows once, reading goes on where it was", async () => {
  await using data = await folder();
  let before;
  {
    await using store = await open(data.path, clock);
    await fill(store);
    [before] = store.generations("logs");
  }
  await Deno.remove(databasePath(data.path));
  await using store = await open(data.path, clock);
  assert.deepEqual(await read(store, COUNT), [[30, 30]]);
  assert.equal(await rejectsOf(store), 3);
  assert.deepEqual(store.generations("logs"), [{ ...before, lines: 11 }]); // those not sealed
  await store.append(batch(33, 2, () => START_MS));
  await store.sealAll();
  assert.deepEqual(await read(store, COUNT), [[32, 32]]);
});

Deno.test("a damaged agent.db is set aside, whatever is wrong with it", async () => {
  const damages: Record<string, (path: string) => Promise<void>> = {
    empty: (path) => Deno.truncate(path, 0),
    torn: (path) => Deno.truncate(path, 20_000),
    noise: (path) => Deno.writeFile(path, crypto.getRandomValues(new Uint8Array(40_000))),
  };
  for (const [name, damage] of Object.entries(damages)) {
    await using data = await folder();
    {
      await using store = await open(data.path, clock);
      await fill(store);
    }
    await damage(databasePath(data.path));
    await using store = await open(data.path, clock);
    assert.deepEqual(await read(store, COUNT), [[30, 30]], name);
    const aside = [...Deno.readDirSync(data.path)].filter((entry) =>
      entry.name.startsWith("agent.db.corrupt-")
    );
    assert.equal(aside.length, 1, name);
  }
});

Deno.test("an old copy of agent.db catches up with the files beside it, of any moment", async () => {
  for (const lines of [0, 1, 2]) {
    await using data = await folder();
    const saved = join(data.path, "saved.db");
    {
      await using store = await open(data.path, clock);
      store.putGeneration(GENERATION);
      for (let i = 0; i < lines; i++) await store.append(mixed(i * 11, 10));
      if (lines === 1) await store.sealAll();
    }
    await Deno.copyFile(databasePath(data.path), saved);
    {
      await using store = await open(data.path, clock);
      for (let i = lines; i < 5; i++) {
        await store.append(mixed(i * 11, 10));
        await store.flush();
        if (i === 3) await store.sealAll();
      }
    }
    await Deno.copyFile(saved, databasePath(data.path));
    await using store = await open(data.path, clock);
    assert.deepEqual(await read(store, COUNT), [[50, 50]], `${lines}`);
    assert.equal(await rejectsOf(store), 5);
    assert.equal(store.generations("logs")[0]?.offset, 550);
    await store.sealAll();
    assert.deepEqual(await read(store, COUNT), [[50, 50]]);
  }
});

Deno.test("a flush whose commit was killed is taken in with its counts: the account adds up", async () => {
  await using data = await folder();
  await using killed = await folder();
  {
    await using store = await open(data.path, clock);
    await fill(store);
    await copy(data.path, killed.path); // its agent.db is the one of before the next flush
    await store.append(mixed(33, 10));
    await store.flush();
    await copy(join(data.path, "parts"), join(killed.path, "parts"));
  }
  await using store = await open(killed.path, clock);
  assert.deepEqual(await read(store, COUNT), [[40, 40]]);
  const { streams: [logs], differences } = accountReport(
    readBooks(killed.path),
    ["logs"],
    () => true,
  );
  assert.deepEqual(differences, []);
  assert.deepEqual(
    [logs?.read.lines, logs?.read.bytes, logs?.stored.lines, logs?.rejected.lines, logs?.uncounted],
    [44, 440, 40, 4, 0],
  );
});

Deno.test("without agent.db, what was counted of hours that are not sealed is known", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path, clock);
    await fill(store);
  }
  await Deno.remove(databasePath(data.path));
  await using _store = await open(data.path, clock);
  const { streams: [logs], differences } = accountReport(
    readBooks(data.path),
    ["logs"],
    () => true,
  );
  assert.deepEqual(differences, []);
  assert.deepEqual([logs?.read.lines, logs?.read.bytes, logs?.uncounted], [11, 110, 20]);
});

Deno.test("without agent.db, a flush that lacks a part is not read, nor lost: its lines are read again", async () => {
  await using data = await folder();
  await using torn = await folder();
  {
    await using store = await open(data.path, clock);
    await fill(store);
    await copy(data.path, torn.path);
  }
  const newest = [...Deno.readDirSync(join(torn.path, "parts", "logs"))];
  assert.equal(newest.length, 3);
  await Deno.remove(join(torn.path, "parts", "logs", newest[1]?.name ?? ""));
  await Deno.remove(databasePath(torn.path));
  await using store = await open(torn.path, clock);
  assert.deepEqual(await read(store, COUNT), [[20, 20]]);
  assert.equal(store.generations("logs")[0]?.offset, 220);
  assert.equal([...Deno.readDirSync(join(torn.path, "quarantine"))].length, 3);
  await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
  assert.deepEqual(snapshot.lost, { files: 0, rows: 0 });
});
