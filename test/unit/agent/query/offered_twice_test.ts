/** Random queries over chunks of which host and archive both have some: as if there were one of each. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { ArchivedChunks } from "../../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../../agent/archive/reads/chunk_cache.ts";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { HostQuery } from "../../../../agent/store/answer.ts";
import type { HeldChunks, Snapshot } from "../../../../agent/store/snapshot.ts";
import { CHUNK_LIST, chunksOfTexts } from "../../../../protocol/archive/archive_piece.ts";
import type { ChunkReference } from "../../../../protocol/archive/archive_piece.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { chunkPath } from "../../../../protocol/chunk/chunk_path.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { testCatalog } from "../../../harness/catalog.ts";
import { accessTables } from "../../../harness/tables.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { Dice, groupedQuery, rowsQuery } from "../../queries/random_query.ts";
import { writeChunk } from "../archive/reads/objects.ts";
import { SEED, times } from "../../../harness/seed.ts";

const COUNT = times(40);
const OF = "11111111-1111-4111-8111-111111111111";
const NOW = "2026-11-22T23:00:00.000Z";
const HOURS = [19, 20, 21];
const ROWS = 300;
const { signal } = new AbortController();

function placeOf(hour: number) {
  const chunk = hour.toString(16).padStart(16, "0");
  return { stream: "logs", region: "eu", host: "web-1", hour: `2026-11-22T${hour}`, chunk };
}

/** The hours as this host has them; the archive has all. */
async function scene() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const key = (hour: number) => chunkPath(placeOf(hour));
  for (const hour of HOURS) {
    for (const home of ["archive", "data"]) {
      const path = folder.join(home, key(hour));
      await Deno.mkdir(dirname(path), { recursive: true });
      await writeChunk(path, { rows: ROWS, fromSecond: (hour - 19) * 3_600 });
    }
  }
  const store = stack.use(new FolderStore(folder.join("archive")));
  const cache = await ChunkCache.open({ folder: folder.join("data", "cache"), quotaBytes: 1e9 });
  const self = { host: "web-1", region: "eu", labels: {} };
  const data = { folder: folder.join("query"), dataDir: folder.join("data") };
  const workers = stack.use(await WorkerPool.open(data));
  const snapshotOf = (hours: readonly number[]): Snapshot => ({
    tables: new Map([["logs", {
      files: hours.map((hour) => folder.join("data", key(hour))),
      rows: ROWS * hours.length,
      bytes: 1,
      chunkIds: hours.map((hour) => placeOf(hour).chunk),
    }]]),
    rejects: 0,
    gaps: { count: 0, bytes: 0 },
    lost: { files: 0, rows: 0 },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const held: HeldChunks = {
    lend: () => Promise.resolve(snapshotOf([20])),
    isReadAgain: () => false,
    retired: () => [],
  };
  const partsOf = (hours: readonly number[]): FleetParts => ({
    store: {
      tables: () => accessTables("logs"),
      goneUntil: () => NOW,
      snapshot: () => Promise.resolve(snapshotOf(hours)),
    },
    held,
    archive: new ArchivedChunks({ catalog: testCatalog(store, cache), self }),
    workers,
    region: "eu",
    behindBytes: () => 0,
    policy: Policy.parse({}),
    denied: { denialOf: () => null, deny: () => {} },
  });
  const owned = stack.move();
  return { partsOf, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function queryOf(sql: string, more: Partial<HostQuery>): HostQuery {
  return {
    ...{ sql, now: NOW, range: { since: null, until: null, implied: false } },
    limits: { timeout_ms: 30_000, rows_max: 1_000_000, bytes_max: 1e9 },
    tables: accessTables("logs"),
    version: PLAN_VERSION,
    ...more,
  };
}

/** The chunks that the archive lists for a query, each twice. */
async function doubled(parts: FleetParts, sql: string) {
  const archive = { piece: { kind: "list" as const, of: OF }, selector: "" };
  await using answer = await answerQuery(parts, queryOf(sql, { archive }), signal);
  const listed = answer.tables.flatMap((table) =>
    table.table === CHUNK_LIST && table.encoding === "text" ? chunksOfTexts(table.values) : []
  );
  return [...listed, ...listed].map(({ key, bytes, etag }): ChunkReference => [key, bytes, etag]);
}

/** The rows of its tables, in an order of their own; null: the query is none that hosts run. */
async function ask(parts: FleetParts, sql: string, more: Partial<HostQuery> = {}) {
  try {
    await using answer = await answerQuery(parts, queryOf(sql, more), signal);
    return answer.tables.map((table) => {
      if (table.encoding === "parquet") return [`${table.rows} rows`];
      const rows = (table.values[0] ?? []).map((_, i) => table.values.map((column) => column[i]));
      return rows.map((row) => row.map((value) => shown(value ?? null)).join("|")).sort();
    });
  } catch (error) {
    if (error instanceof LogvendError && error.code === "bad_sql") return null;
    throw error;
  }
}

/** Sums of doubles depend on their order in the last digits; so do lists. */
function shown(value: string | null): string {
  if (value === null) return "NULL";
  if (/^-?\d+\.\d+(e[+-]\d+)?$/.test(value)) return Number(value).toPrecision(9);
  return /^[[{]/.test(value) ? value.replaceAll(/[[\]{}]/g, "").split(", ").sort().join() : value;
}

Deno.test(`${COUNT} random queries over a chunk that is offered twice (LOGVEND_SEED=${SEED})`, async () => {
  await using here = await scene();
  const dice = new Dice(SEED);
  const [whole, some] = [here.partsOf(HOURS), here.partsOf([20, 21])];
  let ran = 0;
  for (let i = 0; i < COUNT; i++) {
    const { sql, ordered } = dice.chance(0.6) ? groupedQuery(dice) : rowsQuery(dice);
    if (/rejects/.test(sql) || (!ordered && /LIMIT/.test(sql))) continue;
    const expected = await ask(whole, sql);
    if (expected === null) continue;
    ran++;
    assert.deepEqual(await ask(some, sql, { source: "auto" }), expected, `auto: ${sql}`);
    const piece = { kind: "read" as const, of: OF, chunks: await doubled(some, sql) };
    const archive = { piece, selector: "" };
    assert.deepEqual(await ask(some, sql, { archive }), expected, `archive: ${sql}`);
  }
  assert.ok(ran > COUNT / 3, `${ran} ran`);
});
