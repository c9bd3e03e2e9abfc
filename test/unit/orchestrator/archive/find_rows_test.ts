/** No row that an erasure means is missed: random conditions over chunks whose columns differ. */
import assert from "node:assert/strict";
import type { ArchivedChunk } from "../../../../orchestrator/archive/archived_chunks.ts";
import { chosenGroups } from "../../../../orchestrator/archive/chosen_groups.ts";
import { findInColumns } from "../../../../orchestrator/archive/find_rows.ts";
import { namedColumns } from "../../../../orchestrator/cli/erase_preview.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { rowsQuery } from "../../../../queries/erase/condition.ts";
import type { Erased, ErasedCondition } from "../../../../queries/erase/condition.ts";
import { shapeOfFile } from "../../../../queries/restore/file_shape.ts";
import { SEED, times } from "../../../harness/seed.ts";
import { conditionOver, HOSTS, randomLines } from "../../agent/archive/queries/widened.ts";
import { NOW_MS } from "../../agent/ingest/events/scene.ts";
import { Dice } from "../../queries/random_query.ts";
import { archivedLogs, DAY, planned, randomRange } from "./scene.ts";
import type { ArchivedLogs } from "./scene.ts";

const { signal } = new AbortController();
const CONDITIONS = times(40);
/** Conditions over one set of logs. */
const CONDITIONS_OF_LOGS = 20;

/** A chunk, and what is looked for in it. */
interface Looking {
  chunk: ArchivedChunk;
  erased: Erased;
  condition: ErasedCondition;
}

/** Of a chunk that is read whole; null: DuckDB cannot say. */
async function rowsMeant(
  here: ArchivedLogs,
  { chunk, erased, condition }: Looking,
): Promise<number | null> {
  const { engine } = here;
  const path = here.pathOf(chunk);
  const { stream: table, region } = chunk.place;
  const shape = await shapeOfFile(engine, path);
  const query = rowsQuery(erased, condition, { table, path, shape, region });
  if (query === null) return 0;
  await engine.run(`CREATE OR REPLACE TEMP VIEW "${query.view.table}" AS ${query.view.sql}`);
  return await engine.read(`SELECT count(*) FROM (${query.sql})`).then(
    ({ rows }) => Number(rows[0]?.[0]),
    () => null,
  );
}

/** The same, as whoever asks sees them; null likewise. */
async function rowsShown(
  here: ArchivedLogs,
  chunk: ArchivedChunk,
  { where, since, until }: Erased,
) {
  const source = { files: [here.pathOf(chunk)], region: "eu", since, until, columns: here.columns };
  const table = tableSelect(here.schema, source);
  return await here.engine.read(`SELECT count(*) FROM (${table}) AS logs WHERE ${where}`).then(
    ({ rows }) => Number(rows[0]?.[0]),
    () => null,
  );
}

/** Whether there are such rows, by the end of the chunk, and by some of its columns. */
async function looked(here: ArchivedLogs, { chunk, erased, condition }: Looking) {
  const chosen = await chosenGroups(chunk, { erasure: erased, condition }, signal);
  assert.ok(chosen !== null);
  if (chosen.groups.length === 0) return { unread: 1, told: 0, mayHave: false };
  // DuckDB remembers what it has read by a file's name, size and time: they are often the same here.
  const path = here.folder.join(crypto.randomUUID());
  const rows = `${path}.rows`;
  const { engine } = here;
  const search = { engine, erasure: erased, condition, path, rows };
  const present = await findInColumns(chunk, chosen, search, signal);
  const told = present === null || present.length > 0 ? 1 : 0;
  return { unread: 0, told, mayHave: present !== null };
}

/** Chunks with such rows; chunks that are left unread; chunks of which columns were read, and said so. */
async function compare(here: ArchivedLogs, where: string, range = DAY) {
  const erased = {
    ...{ stream: "logs", where, ...range, columns: namedColumns(here.columns, where) },
    now: new Date(NOW_MS).toISOString(),
  };
  const condition = await planned(here, erased);
  const found = { meant: 0, unread: 0, told: 0 };
  if (condition === null) return found;
  for (const chunk of here.chunks) {
    const { unread, told, mayHave } = await looked(here, { chunk, erased, condition });
    found.unread += unread;
    found.told += told;
    const rows = await rowsMeant(here, { chunk, erased, condition });
    const shown = await rowsShown(here, chunk, erased);
    if (rows !== null && shown !== null) assert.equal(rows, shown, `${chunk.object.key}: ${where}`);
    const what = `${chunk.object.key} has ${rows} rows: ${where} ${JSON.stringify(range)}`;
    if (rows === 0) assert.ok(!mayHave || told === 0, what); // columns that are read are enough
    if (rows === null || rows === 0) continue;
    found.meant++;
    assert.ok(mayHave, what);
  }
  return found;
}

Deno.test(`${CONDITIONS} random conditions: no chunk without such rows is said to have them, and none with them to have none (LOGVEND_SEED=${SEED})`, async () => {
  const sum = { meant: 0, unread: 0, told: 0 };
  for (let done = 0, round = 0; done < CONDITIONS; round++) {
    const dice = new Dice(SEED * 1_000 + round);
    await using here = await archivedLogs(randomLines(dice), signal);
    const types = new Map(here.columns.map(({ name, type }) => [name.toLowerCase(), type]));
    for (let i = 0; i < CONDITIONS_OF_LOGS; i++, done++) {
      const found = await compare(here, conditionOver(dice, types), randomRange(dice));
      sum.meant += found.meant;
      sum.unread += found.unread;
      sum.told += found.told;
    }
  }
  assert.ok(sum.meant > CONDITIONS, `only ${sum.meant} chunks had such rows`);
  assert.ok(sum.unread > CONDITIONS / 2, `only ${sum.unread} chunks were left unread`);
  assert.ok(sum.told > CONDITIONS, `only ${sum.told} chunks were told by their columns`);
});

Deno.test("a number in a column that has become text, and names in other capitals, are looked for in every chunk", async () => {
  const values = ["1.25", "5.10", "5.10", "0.50", '"0"'];
  await using here = await archivedLogs((host, hour) =>
    values.map((value, i) => {
      const name = host === HOSTS[0] ? "a" : "A";
      return `{"i":${i},"time":"2026-11-23T0${hour}:00:00Z","${name}":${value}}`;
    }), signal);
  const all = { meant: here.chunks.length, unread: 0, told: here.chunks.length };
  assert.deepEqual(await compare(here, "a = '5.10'"), all);
  assert.deepEqual(await compare(here, "A = '0'"), all);
  const none = await compare(here, "a = 'none'");
  assert.ok(none.meant === 0 && none.unread >= all.meant / 2, JSON.stringify(none));
});

Deno.test("a whole number in lines that are kept whole is meant as it is shown", async () => {
  const hours = [["5.5", "5"], ["5.25", "7.5", "5"], ['"x"', "5"], ["5"]];
  await using here = await archivedLogs(
    (_, hour) =>
      (hours[hour - 3] ?? []).map((value, i) =>
        `{"i":${i},"time":"2026-11-23T0${hour}:00:00Z","a":${value}}`
      ),
    signal,
  );
  const all = { meant: here.chunks.length, unread: 0, told: here.chunks.length };
  assert.deepEqual(await compare(here, "a = '5'"), all);
});
