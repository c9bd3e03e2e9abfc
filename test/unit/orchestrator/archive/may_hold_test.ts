/** No chunk that an erasure means is left unread: random conditions over chunks whose columns differ. */
import assert from "node:assert/strict";
import { listArchive } from "../../../../orchestrator/archive/archived_chunks.ts";
import type { ArchivedChunk } from "../../../../orchestrator/archive/archived_chunks.ts";
import { mayHold } from "../../../../orchestrator/archive/may_hold.ts";
import { hashFile } from "../../../../agent/store/files/verify.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import {
  EMPTY_SHAPE,
  uniteColumns,
  uniteShapes,
} from "../../../../protocol/schema/stream_shape.ts";
import { schemaOf } from "../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { conditionOf, conditionRequest, rowsQuery } from "../../../../queries/erase/condition.ts";
import type { Erased, ErasedCondition } from "../../../../queries/erase/condition.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { shapeOfFile } from "../../../../queries/restore/file_shape.ts";
import { SEED, times } from "../../../harness/seed.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import {
  conditionOver,
  HOSTS,
  randomLines,
  readHours,
} from "../../agent/archive/queries/widened.ts";
import type { Lines } from "../../agent/archive/queries/widened.ts";
import { NOW_MS } from "../../agent/ingest/events/scene.ts";
import { Dice } from "../../queries/random_query.ts";

const { signal } = new AbortController();
const CONDITIONS = times(40);
/** Conditions over one set of logs. */
const CONDITIONS_OF_LOGS = 20;
const DAY = { since: "2026-11-23T00:00:00.000Z", until: "2026-11-24T00:00:00.000Z" };

async function scene(linesOf: Lines) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const archive = stack.use(new FolderStore(folder.join("archive")));
  const columns = [];
  const shapes = [];
  for (const host of HOSTS) {
    await using store = await readHours(folder, host, linesOf);
    await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
    for (const path of snapshot.tables.get("logs")?.files ?? []) {
      const key = path.slice(path.indexOf("stream="));
      await archive.put({ key, body: { path }, sha256: await hashFile(path) }, signal);
    }
    shapes.push(store.shape("logs") ?? EMPTY_SHAPE);
    columns.push(store.tables().find(({ name }) => name === "logs")?.columns ?? []);
  }
  const chunks: ArchivedChunk[] = [];
  const all = { since: null, until: null };
  for await (const chunk of listArchive([archive], { range: all }, signal)) {
    if (chunk.place !== null) chunks.push(chunk);
  }
  const engine = stack.use(await Engine.open());
  const planner = stack.use(await Planner.open());
  const owned = stack.move();
  return {
    ...{ engine, planner, chunks, columns: uniteColumns(columns) },
    schema: schemaOf("logs", shapes.reduce(uniteShapes)),
    pathOf: ({ object: { key } }: ArchivedChunk) => folder.join("archive", key),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** Null: no condition of rows. */
async function planned({ planner }: Scene, erased: Erased): Promise<ErasedCondition | null> {
  return await planner.plan(conditionRequest(erased)).then(
    (plan) => conditionOf(plan, erased),
    () => null,
  );
}

/** Of a chunk that is read whole; null: DuckDB cannot say. */
async function rowsMeant(
  here: Scene,
  chunk: ArchivedChunk,
  { erased, condition }: { erased: Erased; condition: ErasedCondition },
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
async function rowsShown(here: Scene, chunk: ArchivedChunk, { where, since, until }: Erased) {
  const source = { files: [here.pathOf(chunk)], region: "eu", since, until, columns: here.columns };
  const table = tableSelect(here.schema, source);
  return await here.engine.read(`SELECT count(*) FROM (${table}) AS logs WHERE ${where}`).then(
    ({ rows }) => Number(rows[0]?.[0]),
    () => null,
  );
}

/** Chunks with such rows, and chunks that are left unread. */
async function compare(here: Scene, where: string, range = DAY) {
  const erased = {
    ...{ stream: "logs", where, ...range, columns: here.columns },
    now: new Date(NOW_MS).toISOString(),
  };
  const condition = await planned(here, erased);
  const found = { meant: 0, unread: 0 };
  if (condition === null) return found;
  for (const chunk of here.chunks) {
    const isRead = await mayHold(chunk, { erasure: erased, condition }, signal);
    if (!isRead) found.unread++;
    const rows = await rowsMeant(here, chunk, { erased, condition });
    const shown = await rowsShown(here, chunk, erased);
    if (rows !== null && shown !== null) assert.equal(rows, shown, `${chunk.object.key}: ${where}`);
    if (rows === null || rows === 0) continue;
    found.meant++;
    assert.ok(isRead, `${chunk.object.key} has ${rows} rows: ${where} ${JSON.stringify(range)}`);
  }
  return found;
}

function randomRange(dice: Dice) {
  if (dice.chance(0.6)) return DAY;
  const [since = 0, until = 0] = [dice.integer(240), 240 + dice.integer(239)]
    .map((minutes) => Date.parse("2026-11-23T03:00:00Z") + minutes * 60_000);
  return { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
}

Deno.test(`${CONDITIONS} random conditions leave no chunk unread that has such rows (LOGVEND_SEED=${SEED})`, async () => {
  const sum = { meant: 0, unread: 0 };
  for (let done = 0, round = 0; done < CONDITIONS; round++) {
    const dice = new Dice(SEED * 1_000 + round);
    await using here = await scene(randomLines(dice));
    const types = new Map(here.columns.map(({ name, type }) => [name.toLowerCase(), type]));
    for (let i = 0; i < CONDITIONS_OF_LOGS; i++, done++) {
      const { meant, unread } = await compare(here, conditionOver(dice, types), randomRange(dice));
      sum.meant += meant;
      sum.unread += unread;
    }
  }
  assert.ok(sum.meant > CONDITIONS, `only ${sum.meant} chunks had such rows`);
  assert.ok(sum.unread > CONDITIONS / 2, `only ${sum.unread} chunks were left unread`);
});

Deno.test("a number in a column that has become text, and names in other capitals, are looked for in every chunk", async () => {
  const values = ["1.25", "5.10", "5.10", "0.50", '"0"'];
  await using here = await scene((host, hour) =>
    values.map((value, i) => {
      const name = host === HOSTS[0] ? "a" : "A";
      return `{"i":${i},"time":"2026-11-23T0${hour}:00:00Z","${name}":${value}}`;
    })
  );
  const chunks = here.chunks.length;
  assert.deepEqual(await compare(here, "a = '5.10'"), { meant: chunks, unread: 0 });
  assert.deepEqual(await compare(here, "A = '0'"), { meant: chunks, unread: 0 });
  const none = await compare(here, "a = 'none'");
  assert.ok(none.meant === 0 && none.unread >= chunks / 2, JSON.stringify(none));
});

Deno.test("a whole number in lines that are kept whole is meant as it is shown", async () => {
  const hours = [["5.5", "5"], ["5.25", "7.5", "5"], ['"x"', "5"], ["5"]];
  await using here = await scene((_, hour) =>
    (hours[hour - 3] ?? []).map((value, i) =>
      `{"i":${i},"time":"2026-11-23T0${hour}:00:00Z","a":${value}}`
    )
  );
  assert.deepEqual(await compare(here, "a = '5'"), { meant: here.chunks.length, unread: 0 });
});
