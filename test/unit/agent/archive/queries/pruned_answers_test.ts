/** What is left unread changes no answer: random conditions over chunks whose columns differ. */
import assert from "node:assert/strict";
import { localQuery } from "../../../../../agent/query/local_query.ts";
import { requestOf } from "../../../../../agent/query/prepare.ts";
import { WorkerPool } from "../../../../../agent/query/worker_pool.ts";
import type { SnapshotSource } from "../../../../../agent/store/snapshot.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import { uniteColumns, uniteShapes } from "../../../../../protocol/schema/stream_shape.ts";
import { inShownOrder, schemaOf } from "../../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../../protocol/schema/table_sql.ts";
import { hashFile } from "../../../../../agent/store/files/verify.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { Planner } from "../../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { Dice } from "../../../queries/random_query.ts";
import { NOW_MS } from "../../ingest/events/scene.ts";
import { agentOf, signal } from "../catalog/scene.ts";
import type { SceneAgent } from "../catalog/scene.ts";
import { COLUMNS, conditionOver, HOSTS, HOURS, randomLines, readHours } from "./widened.ts";
import type { Lines } from "./widened.ts";
import { SEED, times } from "../../../../harness/seed.ts";

const COUNT = times(10);

/** Questions of one set of logs. */
const COUNT_OF_LOGS = 30;

const NOW = new Date(NOW_MS).toISOString();
const ALL = { since: null, until: null, implied: false };

async function scene(linesOf: Lines) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const stores = [];
  for (const host of HOSTS) stores.push(stack.use(await readHours(folder, host, linesOf)));
  const known = stores.map((store) => store.tables().find(({ name }) => name === "logs"));
  const columns = inShownOrder("logs", uniteColumns(known.map((table) => table?.columns ?? [])));
  const archive = stack.use(new FolderStore(folder.join("archive")));
  const engine = stack.use(await Engine.open());
  const wholes: string[] = [];
  const shapes = stores.map((store) => store.shape("logs")).reduce(uniteShapes);
  for (const store of stores) {
    await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
    const files = snapshot.tables.get("logs")?.files ?? [];
    assert.equal(files.length, HOURS.length);
    for (const path of files) {
      const key = path.slice(path.indexOf("stream="));
      await archive.put({ key, body: { path }, sha256: await hashFile(path) }, signal);
    }
    const source = { files, region: "eu", since: null, until: null, columns };
    wholes.push(tableSelect(schemaOf("logs", shapes), source));
  }
  await engine.run(`CREATE TABLE logs AS ${wholes.join(" UNION ALL ")}`);
  const workers = stack.use(
    await WorkerPool.open({ folder: folder.join("query"), dataDir: folder.path }),
  );
  const planner = stack.use(await Planner.open());
  const listed = await agentOf(archive, folder, { index: [] });
  const indexed = await agentOf(archive, folder, { index: [...COLUMNS] });
  const owned = stack.move();
  return {
    ...{ stores, columns, engine, workers, planner, listed, indexed, folder },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** The archive as a question sees it. */
async function archiveFor(here: Scene, agent: SceneAgent, sql: string): Promise<SnapshotSource> {
  const tables = [{ name: "logs", columns: here.columns }];
  const plan = await here.planner.plan({ sql, now: NOW, range: ALL, tables, rowsMax: 1e6 });
  const { hosts, regions } = plan.reach;
  const scope = { ...requestOf(plan), selector: "", hosts, regions };
  const { chunks } = await agent.archive.find(scope, signal);
  const references = chunks.map(({ key, bytes, etag }): [string, number, string] => {
    return [key, bytes, etag];
  });
  return agent.archive.open(references, scope, signal).source;
}

async function answer(here: Scene, source: SnapshotSource, sql: string): Promise<string[]> {
  const tables = () => [{ name: "logs", columns: here.columns }];
  const store = { tables, snapshot: source.snapshot.bind(source) };
  const parts = { store, workers: here.workers, region: "eu", behindBytes: () => 0 };
  const question = { sql, now: NOW, range: ALL, format: "jsonl", timeoutMs: 60_000 } as const;
  await using found = await localQuery(parts, question, signal);
  return (await Deno.readTextFile(found.file)).trimEnd().split("\n");
}

async function compareRandom(here: Scene, dice: Dice): Promise<boolean> {
  const types = new Map(here.columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const condition = conditionOver(dice, types);
  const list = dice.pick(["i", `i, ${dice.pick(COLUMNS)}`, "i, line", `${dice.pick(COLUMNS)}, i`]);
  return (await compare(here, list, condition) ?? 0) > 0;
}

/** How many rows there are; null: the condition is none. */
async function compare(here: Scene, list: string, condition: string): Promise<number | null> {
  const sql = `SELECT ${list} FROM logs WHERE ${condition}`;
  const whole = async (more: string) => {
    const rows = `SELECT to_json(row)::VARCHAR FROM (SELECT ${list} FROM logs
      WHERE (${condition}) ${more} ORDER BY i, host) AS row`;
    return (await here.engine.read(rows)).rows.map(([row]) => String(row));
  };
  const ordered = `${sql} ORDER BY i, host`;
  const expected = await whole("").catch(() => null);
  if (expected === null) return null;
  for (const [how, agent] of Object.entries({ listed: here.listed, indexed: here.indexed })) {
    const source = await archiveFor(here, agent, ordered);
    const found = await answer(here, source, ordered);
    assert.deepEqual(found.filter((row) => row !== ""), expected, `archive, ${how}: ${ordered}`);
  }
  for (const [i, store] of here.stores.entries()) {
    const found = await answer(here, store, ordered);
    const own = await whole(`AND host = '${HOSTS[i]}'`);
    assert.deepEqual(found.filter((row) => row !== ""), own, `host: ${ordered}`);
  }
  return expected.length;
}

Deno.test(`${COUNT} random conditions leave nothing out (LOGVEND_SEED=${SEED})`, async () => {
  let matched = 0;
  for (let done = 0, round = 0; done < COUNT; round++) {
    const dice = new Dice(SEED * 1_000 + round);
    await using here = await scene(randomLines(dice));
    await here.indexed.catalog.keeper.round(signal);
    for (let i = 0; i < COUNT_OF_LOGS; i++, done++) if (await compareRandom(here, dice)) matched++;
  }
  assert.ok(matched > COUNT / 5, `only ${matched} had rows`);
});

Deno.test("a number in a column that has become text is found as its line has it", async () => {
  // 5.10 is stored as 5.1, which is the last of the texts that "0" makes of the numbers.
  const values = ["1.25", "5.10", "5.10", "0.50", '"0"', '"0"'];
  await using here = await scene((_, hour) =>
    values.map((value, i) => `{"i":${i},"time":"2026-11-23T0${hour}:00:00Z","a":${value}}`)
  );
  await here.indexed.catalog.keeper.round(signal);
  const chunks = HOSTS.length * HOURS.length;
  // The first line of its kind is kept whole, and reads as DuckDB writes it.
  assert.equal(await compare(here, "i, a", "a = '5.10' AND i = 2"), chunks);
  assert.equal(await compare(here, "a, i", "a IN ('0.50', '99') AND i > 2"), chunks);
  assert.equal(await compare(here, "i", "a = '0'"), 2 * chunks);
  assert.equal(await compare(here, "i", "a = 'none'"), 0);
});
