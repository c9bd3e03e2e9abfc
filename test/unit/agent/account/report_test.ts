import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { accountRows } from "../../../../agent/account/account_file.ts";
import { accountReport } from "../../../../agent/account/report.ts";
import { accountCsv, accountText } from "../../../../agent/account/text.ts";
import { databasePath } from "../../../../agent/store/database/database.ts";
import { markRemoved } from "../../../../agent/store/database/removed.ts";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import { batch, folder, GENERATION, HOUR_MS, open, START_MS } from "../store/scene.ts";

/** A data folder with five rows over two hours and one reject. */
async function scene() {
  const data = await folder();
  await using store = await open(data.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 5, (line) => START_MS + line * HOUR_MS / 4));
  await store.append({
    ...batch(5, 0, () => 0),
    endOffset: 57,
    lines: 1,
    rejects: [{
      ts: BigInt(START_MS + HOUR_MS) * 1_000n,
      reason: "no_format",
      line: new Uint8Array([0x41]),
      line_offset: 50,
      length: 7,
    }],
  });
  return data;
}

const all = () => true;

Deno.test("the account of a host adds up, hour by hour", async () => {
  await using data = await scene();
  const report = accountReport(readBooks(data.path), ["logs"], all);
  assert.equal(
    accountText(report),
    `STREAM  FILE                 GENERATION        HOUR               LINES  BYTES  STORED  REJECTED     DROPPED
logs    /var/log/access.log  00000000000000aa  2026-11-22 18:00Z      4   40 B       4  0            0
logs    /var/log/access.log  00000000000000aa  2026-11-22 19:00Z      2   17 B       1  1 no_format  0
logs: 6 lines (57 B) read, 5 stored, 1 rejected, 0 dropped · 5 rows in 2 parts and 0 chunks
adds up: 6 lines read = 5 stored + 1 rejected + 0 dropped
`,
  );
  const path = '/logs/a "b".log';
  assert.equal(
    accountCsv(accountRows({ ...readBooks(data.path), generations: [{ ...GENERATION, path }] }))
      .split("\n")[1],
    'logs,"/logs/a ""b"".log",00000000000000aa,2026-11-22T18:00:00Z,stored,,4,40',
  );
});

Deno.test("hours that are not asked for are not shown, and yet belong to the sums", async () => {
  await using data = await scene();
  const report = accountReport(readBooks(data.path), ["logs"], (hour) => hour >= "2026-11-22T19");
  assert.deepEqual(report.entries.map(({ hour }) => hour), ["2026-11-22T19"]);
  assert.deepEqual(report.streams[0]?.read, { lines: 6, bytes: 57 });
});

Deno.test("what does not add up is named: a generation, rows, rejects", async () => {
  const check = async (sql: string, difference: RegExp) => {
    await using data = await scene();
    using database = new DatabaseSync(databasePath(data.path));
    database.exec(sql);
    const { differences } = accountReport(readBooks(data.path), ["logs"], all);
    assert.match(differences.join("\n"), difference);
  };
  await check(
    "UPDATE generations SET durable_offset = 60, lines = 7",
    /^\/var\/log\/access.log \(00000000000000aa\): 7 lines \(60 B\) read, but 6 lines \(57 B\) sto/,
  );
  await check(
    "DELETE FROM files WHERE stream = 'logs' AND hour = '2026-11-22T19'",
    /^logs: parts and chunks should hold 5 rows, but hold 4$/,
  );
  await check(
    "DELETE FROM files WHERE stream = 'rejects'",
    /^rejects: parts and chunks should hold 1 row, but hold 0$/,
  );
});

Deno.test("a file that is read from its end on owes no account of what lies before", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration({ ...GENERATION, offset: 1_000 });
    const later = batch(100, 2, () => START_MS);
    await store.append(later);
  }
  const { streams, differences } = accountReport(readBooks(data.path), ["logs"], all);
  assert.deepEqual(streams[0]?.read, { lines: 2, bytes: 20 });
  assert.deepEqual(differences, []);
});

Deno.test("rows that nobody counted are named and disturb nothing", async () => {
  await using data = await scene();
  {
    using database = new DatabaseSync(join(data.path, "agent.db"));
    const v1 = "('meta', 'generations', 'files', 'sealings', 'seen')";
    const later = database.prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ${v1}`,
    );
    for (const { name } of later.all()) database.exec(`DROP TABLE ${name}`);
    database.exec(`ALTER TABLE generations DROP COLUMN start_offset;
      ALTER TABLE generations DROP COLUMN input_path;
      ALTER TABLE generations DROP COLUMN began_offset;
      UPDATE meta SET value = '1'; PRAGMA user_version = 0`);
  }
  await (await open(data.path))[Symbol.asyncDispose]();
  const report = accountReport(readBooks(data.path), ["logs"], all);
  assert.deepEqual(report.differences, []);
  assert.match(
    accountText(report),
    /5 rows in 2 parts and 0 chunks, 5 of them of unknown files/,
  );
});

Deno.test("a gap is shown, and is no difference", async () => {
  await using data = await folder();
  {
    await using store = await open(data.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 5, () => START_MS));
    store.addGap({
      generation: GENERATION.id,
      stream: "logs",
      path: GENERATION.path,
      offset: 50,
      bytes: 12_345,
      reason: "truncated",
      seenMs: START_MS + HOUR_MS,
    });
  }
  const books = readBooks(data.path);
  assert.match(
    accountText(accountReport(books, ["logs"], all)),
    /^gap: \/var\/log\/access.log \(00000000000000aa\): 12 KB after byte 50 were never read, truncated, seen 2026-11-22T19:00:00Z\nadds up: 5 lines read = 5 stored .*; 1 gap, 12 KB never read\n$/m,
  );
  assert.match(accountCsv(accountRows(books)), /,2026-11-22T19:00:00Z,gap,truncated,,12345\n$/);
});

Deno.test("rows that retention removed are accounted for, and those that were lost are named", async () => {
  await using data = await scene();
  const remove = (reason: "retention" | "corrupt", hour: string) => {
    using database = new DatabaseSync(databasePath(data.path));
    const ids = readBooks(data.path).files.filter((file) => file.hour === hour).map(({ id }) => id);
    assert.equal(markRemoved(database, ids, { reason, nowMs: START_MS }).length, ids.length);
  };
  remove("retention", "2026-11-22T18");
  const kept = accountReport(readBooks(data.path), ["logs"], all);
  assert.deepEqual(kept.differences, []);
  assert.match(
    accountText(kept),
    /1 row in 1 part and 0 chunks, 4 removed by retention or quota$/m,
  );
  remove("corrupt", "2026-11-22T19");
  assert.deepEqual(accountReport(readBooks(data.path), ["logs"], all).differences, [
    "logs: 1 row lost with damaged files",
    "rejects: 1 row lost with damaged files",
  ]);
});
