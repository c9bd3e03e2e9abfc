import { schemaOf } from "../../../../protocol/schema/streams.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStoredFiles } from "../../../../agent/store/files/stored_files.ts";
import type { SnapshotSource } from "../../../../agent/store/snapshot.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { batch, copy, folder, GENERATION, HOUR_MS, open, START_MS } from "../store/scene.ts";

/** What SQL says over the accounts of a range, and over the rows that the same snapshot holds. */
async function accounts(source: SnapshotSource, sql: string, since: string | null = null) {
  await using snapshot = await source.snapshot({
    tables: ["logs", "rejects", "accounting"],
    since,
    until: null,
  });
  await using engine = await Engine.open();
  for (const [table, { files }] of snapshot.tables) {
    const select = tableSelect(schemaOf(table), { files, region: "eu", since, until: null });
    await engine.run(`CREATE VIEW ${table} AS ${select}`);
  }
  return (await engine.read(sql)).rows;
}

const BALANCE = `SELECT
  (SELECT coalesce(sum(lines), 0)::INT FROM accounting WHERE outcome = 'stored'),
  (SELECT count(*)::INT FROM logs),
  (SELECT coalesce(sum(lines), 0)::INT FROM accounting WHERE outcome = 'rejected'),
  (SELECT count(*)::INT FROM rejects)`;

const reject = {
  ts: BigInt(START_MS) * 1_000n,
  reason: "no_format",
  line: new Uint8Array([0xff]),
  line_offset: 100,
  length: 2,
};

Deno.test("accounting agrees with the rows of the same moment: waiting, flushed, sealed, after a kill", async () => {
  await using data = await folder();
  await using killed = await folder();
  {
    await using store = await open(data.path, () => START_MS + 3 * HOUR_MS);
    store.putGeneration(GENERATION);
    assert.deepEqual(await accounts(store, BALANCE), [[0, 0, 0, 0]]);
    await store.append(batch(0, 10, (line) => START_MS + line * HOUR_MS / 5));
    assert.deepEqual(await accounts(store, BALANCE), [[10, 10, 0, 0]]);
    await store.flush();
    await store.append({ ...batch(10, 0, () => 0), endOffset: 102, lines: 1, rejects: [reject] });
    assert.deepEqual(await accounts(store, BALANCE), [[10, 10, 1, 1]]);
    await copy(data.path, killed.path);
    await store.sealAll();
    assert.deepEqual(await accounts(store, BALANCE), [[10, 10, 1, 1]]);
  }
  await using store = await open(killed.path);
  assert.deepEqual(await accounts(store, BALANCE), [[10, 10, 0, 0]]);
});

Deno.test("accounting is cut to the asked hours and names file, host and region; nothing is left behind", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 4, (line) => START_MS + line * HOUR_MS));
    await store.append({ ...batch(4, 0, () => 0), endOffset: 42, lines: 1, rejects: [reject] });
  }
  const scratchFolder = join(data.path, "scratch");
  using source = openStoredFiles({
    dataDir: data.path,
    streams: ["logs"],
    host: "web-1",
    scratchFolder,
  });
  const since = new Date(START_MS + 2 * HOUR_MS).toISOString();
  assert.deepEqual(await accounts(source, "SELECT hour(ts)::INT FROM accounting", since), [[20], [
    21,
  ]]);
  assert.deepEqual(
    await accounts(source, "SELECT * EXCLUDE (ts, hour) FROM accounting WHERE reason IS NOT NULL"),
    [[
      "logs",
      "web-1",
      "eu",
      "/var/log/access.log",
      GENERATION.id,
      "rejected",
      "no_format",
      1n,
      2n,
    ]],
  );
  assert.deepEqual([...Deno.readDirSync(scratchFolder)], []);
});

Deno.test("gaps are rows of accounting and of the coverage, from the moment that they are seen", async () => {
  await using data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, () => START_MS));
  store.addGap({
    generation: GENERATION.id,
    stream: "logs",
    path: GENERATION.path,
    offset: 50,
    bytes: 70,
    reason: "truncated",
    seenMs: START_MS + HOUR_MS,
  });
  const covered = async (sinceMs: number) => {
    const since = new Date(sinceMs).toISOString();
    await using snapshot = await store.snapshot({ tables: ["logs"], since, until: null });
    return snapshot.gaps;
  };
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(
      await accounts(
        store,
        "SELECT hour(ts)::INT, file, reason, lines, bytes FROM accounting WHERE outcome = 'gap'",
      ),
      [[19, "/var/log/access.log", "truncated", null, 70n]],
    );
    assert.deepEqual(await covered(START_MS), { count: 1, bytes: 70 });
    assert.deepEqual(await covered(START_MS + 2 * HOUR_MS), { count: 0, bytes: 0 });
    await store.flush();
  }
});
