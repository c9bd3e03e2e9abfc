/** holdings.ts: what a store says that it holds is true before anybody can find out otherwise. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { seal } from "../../../../../protocol/wire/envelope.ts";
import { ChunkCatalog } from "../../../../../orchestrator/fleet/chunk_catalog.ts";
import type { Store } from "../../../../../agent/store/store.ts";
import { batch, folder, GENERATION, HOUR_MS, open, START_MS } from "../scene.ts";
import { times } from "../../../../harness/seed.ts";

const NOW_MS = START_MS + 48 * HOUR_MS;
const now = () => NOW_MS;

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

Deno.test("sealed hours are said by day; what is in none, and the last hour, are open", async () => {
  await using data = await folder();
  await using store = await open(data.path, now);
  assert.deepEqual(store.holdings.statement(true).open_from, iso(NOW_MS - HOUR_MS));
  store.putGeneration(GENERATION);
  await store.append(batch(0, 3, (line) => START_MS + line * 60_000));
  const open_from = iso(START_MS);
  assert.equal(store.holdings.statement(true).open_from, open_from);
  await store.flush();
  assert.equal(store.holdings.statement(true).open_from, open_from);
  assert.deepEqual(store.holdings.open().rows, 3);
  const [chunk] = await store.sealAll();
  const said = store.holdings.statement(true);
  assert.equal(said.open_from, iso(NOW_MS - HOUR_MS));
  assert.deepEqual(Object.keys(said.days), ["2026-11-22"]);
  assert.deepEqual(store.holdings.day("2026-11-22"), {
    day: "2026-11-22",
    digest: said.days["2026-11-22"],
    chunks: {
      logs: [[chunk?.id, 3, chunk?.bytes, START_MS * 1_000, (START_MS + 120_000) * 1_000]],
    },
    marks: [],
  });
  assert.deepEqual(store.holdings.open(), { rows: 0, bytes: 0 });
});

Deno.test("late rows are told before any query can read them, once for what was said", async () => {
  await using data = await folder();
  await using store = await open(data.path, now);
  store.putGeneration(GENERATION);
  const told: number[] = [];
  store.holdings.watch(() => {
    told.push(store.stats().open.rows);
    store.holdings.statement(true);
  });
  await store.append(batch(0, 1, () => START_MS)); // nothing was said yet
  assert.deepEqual(told, []);
  await store.flush();
  await store.sealAll();
  store.holdings.statement(true);
  await store.append(batch(1, 1, () => NOW_MS));
  assert.deepEqual(told, []);
  const late = store.append(batch(2, 1, () => START_MS));
  await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
  assert.deepEqual([told, snapshot.tables.get("logs")?.rows], [[2], 3]);
  await late;
  await store.append(batch(3, 1, () => START_MS + 1));
  assert.deepEqual(told, [2]);
});

Deno.test("while log files are unread, or days are too many, nothing is said", async () => {
  await using data = await folder();
  await using store = await open(data.path, now);
  const { open_from, days } = store.holdings.statement(false);
  assert.deepEqual({ open_from, days }, { open_from: null, days: {} });
});

Deno.test("gaps and lost files are marked in their day", async () => {
  await using data = await folder();
  await using store = await open(data.path, now);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 2, () => START_MS));
  store.addGap({
    generation: "00000000000000bb",
    stream: "logs",
    path: "/var/log/access.log",
    offset: 0,
    bytes: 10,
    reason: "gone",
    seenMs: START_MS + 1,
  });
  assert.equal(store.holdings.statement(true).open_from, iso(START_MS));
  await store.flush();
  const [chunk] = await store.sealAll();
  assert.ok(chunk);
  const before = store.holdings.statement(true).days["2026-11-22"];
  await Deno.remove(`${data.path}/${chunk.path}`);
  await store.keeper.verify([chunk]);
  assert.notEqual(store.holdings.statement(true).days["2026-11-22"], before);
  const { chunks, marks } = store.holdings.day("2026-11-22");
  const gapUs = (START_MS + 1) * 1_000;
  assert.deepEqual({ chunks, marks }, {
    chunks: {},
    marks: [["logs", START_MS * 1_000, START_MS * 1_000], [null, gapUs, gapUs + 999]],
  });
});

Deno.test("rows have the host's own name unless the folder had another one", async () => {
  await using data = await folder();
  const own = async (host: string) => {
    await using store = await open(data.path, now, undefined, host);
    return store.holdings.statement(true).own_rows;
  };
  assert.equal(await own("web-1"), true);
  assert.equal(await own("web-1"), true);
  assert.equal(await own("web-2"), false);
  {
    await using store = await open(data.path, now, undefined, "web-2");
    store.putGeneration(GENERATION);
    await store.append(batch(0, 1, () => START_MS));
    await store.flush();
    await store.sealAll();
  }
  assert.equal(await own("web-1"), false);
});

/** Says to a catalog what the store says, and all days that it asks for. */
function sayTo(catalog: ChunkCatalog, store: Store) {
  const body = store.holdings.statement(true);
  catalog.receiveHoldings("web-1", seal({ type: "holdings", body, issuedAtMs: 0 }));
  return body.version;
}

Deno.test("pruning never changes an answer: random rows, flushes, seals and ranges", async () => {
  const hour = fc.integer({ min: 0, max: 50 });
  const step = fc.oneof(
    { weight: 3, arbitrary: hour.map((h) => ({ kind: "rows" as const, h })) },
    { weight: 3, arbitrary: fc.constant({ kind: "flush" as const, h: 0 }) },
    { weight: 3, arbitrary: fc.constant({ kind: "say" as const, h: 0 }) },
    { weight: 1, arbitrary: fc.constant({ kind: "seal" as const, h: 0 }) },
  );
  const range = fc.tuple(hour, fc.integer({ min: 1, max: 12 }));
  let pruned = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 14 }),
      fc.array(range, { minLength: 20, maxLength: 20 }),
      async (steps, ranges) => {
        await using data = await folder();
        await using store = await open(data.path, now);
        using catalog: ChunkCatalog = new ChunkCatalog({
          isOnline: () => true,
          ask: (host, days) =>
            queueMicrotask(() => {
              for (const day of days) {
                const body = store.holdings.day(day);
                catalog.receiveDay(host, seal({ type: "day", body, issuedAtMs: 0 }));
              }
            }),
        });
        let version = sayTo(catalog, store);
        store.holdings.watch(() => version = sayTo(catalog, store));
        store.putGeneration(GENERATION);
        const rows: number[] = [];
        for (const { kind, h } of steps) {
          if (kind === "flush") await store.flush();
          else if (kind === "say") version = sayTo(catalog, store);
          else if (kind === "seal") {
            await store.flush();
            await store.sealAll();
          } else {
            const atMs = START_MS + h * HOUR_MS;
            await store.append(batch(rows.length, 2, (line) => atMs + line));
            rows.push(atMs + rows.length, atMs + rows.length + 1);
          }
          for (const [from, hours] of ranges) {
            const [sinceMs, untilMs] = [from, from + hours].map((n) => START_MS + n * HOUR_MS) as [
              number,
              number,
            ];
            const read = { tables: ["logs"], since: iso(sinceMs), until: iso(untilMs) };
            if (catalog.mayHold("web-1", version, read)) continue;
            pruned++;
            assert.deepEqual(rows.filter((ms) => ms >= sinceMs && ms < untilMs), []);
          }
        }
      },
    ),
    { numRuns: times(12) },
  );
  assert.ok(pruned > 200, `only ${pruned}`);
});

Deno.test("what the archive lacks is said by its first hour: of memory, parts and chunks", async () => {
  await using data = await folder();
  await using store = await open(data.path, () => NOW_MS);
  const said = () => store.holdings.statement(true).unarchived_from;
  assert.equal(said(), null);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 1, () => START_MS + 1));
  assert.equal(said(), iso(START_MS));
  await store.flush();
  assert.equal(said(), iso(START_MS));
  const [chunk] = await store.sealAll();
  assert.ok(chunk);
  assert.equal(said(), iso(START_MS));
  store.archiveBook.note(chunk, { sha256: "", bytes: 1 });
  assert.equal(said(), null);
  await store.append(batch(1, 1, () => START_MS + 2 * HOUR_MS));
  assert.equal(said(), iso(START_MS + 2 * HOUR_MS));
});
