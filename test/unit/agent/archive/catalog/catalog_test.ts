/** Manifests over a folder: what they rule out, and what is found whatever became of them. */
import assert from "node:assert/strict";
import { ArchivedChunks } from "../../../../../agent/archive/queries/archived_chunks.ts";
import { chunksIn } from "../../../../../protocol/archive/archived_hours.ts";
import { manifestKey } from "../../../../../protocol/archive/catalog/catalog_keys.ts";
import { FolderStore } from "../../../../../protocol/archive/folder_store.ts";
import type { GetOptions } from "../../../../../protocol/archive/object_store.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import {
  addressOf,
  agentOf,
  countRows,
  dateOf,
  foundKeys,
  keyOf,
  LATER_MS,
  putChunk,
  scopeOf,
  signal,
} from "./scene.ts";
import type { SceneAgent, SceneChunk } from "./scene.ts";

const DAYS = 6;
const HOSTS = ["web-1", "web-2"];

/** Counts what it is asked. */
class CountingStore extends FolderStore {
  readonly gets: string[] = [];
  readonly lists: string[] = [];

  override get(key: string, options: GetOptions, signal: AbortSignal) {
    this.gets.push(key);
    return super.get(key, options, signal);
  }

  override list(prefix: string, signal: AbortSignal) {
    this.lists.push(prefix);
    return super.list(prefix, signal);
  }

  /** What it was asked since the last time. */
  asked() {
    return { gets: this.gets.splice(0), lists: this.lists.splice(0) };
  }
}

async function scene() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const store = new CountingStore(folder.join("archive"));
  const chunks = Array.from({ length: DAYS }, (_, day) => HOSTS.map((host) => ({ day, host })))
    .flat();
  for (const chunk of chunks) await putChunk(store, folder, chunk);
  const agent = await agentOf(store, folder);
  const owned = stack.move();
  const manifest = (day: number) =>
    folder.join("archive", manifestKey({ stream: "logs", region: "eu", date: dateOf(day) }));
  return {
    ...{ folder, store, chunks, agent, manifest },
    put: (chunk: SceneChunk) => putChunk(store, folder, chunk),
    async agentOf(more: Parameters<typeof agentOf>[2] = {}) {
      const other = await agentOf(store, folder, more);
      owned.use(other.archive); // it may say still that a manifest is wrong
      return other;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Every chunk is found by what only it has, and all of them without that. */
async function checkAll(agent: SceneAgent, chunks: readonly SceneChunk[]) {
  assert.deepEqual(await foundKeys(agent, scopeOf()), chunks.map(keyOf).sort());
  for (const chunk of chunks) {
    const address = addressOf(chunk);
    assert.deepEqual(await countRows(agent, scopeOf([address])), [{ address, rows: 1 }]);
  }
}

Deno.test("a needle over many days opens the chunks that have it, and lists none of the days", async () => {
  await using here = await scene();
  const { agent, store, chunks } = here;
  await checkAll(await here.agentOf(), chunks);
  await (await here.agentOf()).catalog.keeper.round(signal);
  store.asked();
  const [first, last] = [{ day: 1 }, { day: 5, host: "web-2" }];
  const texts = [addressOf(first), addressOf(last, 39), "192.0.2.1"];
  assert.deepEqual(await countRows(agent, scopeOf(texts)), [
    { address: texts[0], rows: 1 },
    { address: texts[1], rows: 1 },
  ]);
  const { gets, lists } = store.asked();
  const opened = new Set(gets.filter((key) => key.startsWith("stream=")));
  assert.deepEqual([...opened].sort(), [keyOf(first), keyOf(last)]);
  assert.ok(lists.every((prefix) => prefix.startsWith("catalog/")), lists.join());
  assert.ok(lists.length <= 2, `${lists.length} lists`);
  const found = await agent.archive.find(scopeOf([addressOf(first)]), signal);
  assert.equal(chunksIn(found.hours), chunks.length);
  assert.equal(found.chunks[0]?.rows, 40);
  const hosts = new Set(found.hours.map(({ host }) => host));
  assert.deepEqual([...hosts].sort(), HOSTS, "hosts without a match are known too");
  await checkAll(agent, chunks);
});

Deno.test("what the catalog leaves to a question is its range, hosts and texts", async () => {
  await using here = await scene();
  const { agent } = here;
  await agent.catalog.keeper.round(signal);
  const keys = (day: number) => HOSTS.map((host) => keyOf({ day, host }));
  const range = { since: `${dateOf(2)}T19:00:00Z`, until: `${dateOf(3)}T19:00:01Z` };
  assert.deepEqual(await foundKeys(agent, scopeOf([], range)), [...keys(2), ...keys(3)]);
  // Of the hour 19 the first 40 seconds are there.
  const after = { since: `${dateOf(2)}T19:00:40Z`, until: `${dateOf(3)}T19:00:00Z` };
  assert.deepEqual(await foundKeys(agent, scopeOf([], after)), []);
  const own = { hosts: ["web-2"], since: `${dateOf(4)}T00:00:00Z` };
  assert.deepEqual(await foundKeys(agent, scopeOf([], own)), [4, 5].map((day) => keys(day)[1]));
  const { hours } = await agent.archive.find(scopeOf(["nobody"], range), signal);
  const started = [2, 3].map((day) => Date.parse(`${dateOf(day)}T19:00:00Z`));
  assert.deepEqual(
    hours.map(({ host, fromMs }) => [host, fromMs]).sort(),
    HOSTS.flatMap((host) => started.map((ms) => [host, ms])),
  );
});

Deno.test("of a day that has none of the hosts that are asked for the rows are not read", async () => {
  await using here = await scene();
  await here.agent.catalog.keeper.round(signal);
  const manifest = await Deno.readFile(here.manifest(2));
  manifest[100] = (manifest[100] ?? 0) ^ 1; // of the rows: who reads them lists the day
  await Deno.writeFile(here.manifest(2), manifest);
  const listed = async (host: string) => {
    here.store.asked();
    const keys = await foundKeys(await here.agentOf(), scopeOf([], { hosts: [host] }));
    const days = here.store.asked().lists.filter((prefix) => prefix.startsWith("stream="));
    return { chunks: keys.length, days: days.length };
  };
  assert.deepEqual(await listed("web-3"), { chunks: 0, days: 0 });
  assert.deepEqual(await listed("web-1"), { chunks: DAYS, days: 1 });
});

Deno.test("chunks of young days are found the moment they are there", async () => {
  await using here = await scene();
  const clock = () => Date.parse(`${dateOf(DAYS - 1)}T21:00:00Z`);
  const agent = await here.agentOf({ clock });
  await agent.catalog.keeper.round(signal);
  const late = [3, 4, 5].map((day) => ({ day, chunk: 1 }));
  for (const chunk of late) await here.put(chunk);
  here.store.asked();
  await checkAll(agent, [...here.chunks, ...late]);
  const young = here.store.asked();
  assert.ok(young.lists.some((prefix) => prefix.includes(`date=${dateOf(5)}`)));
  assert.ok(!young.lists.some((prefix) => prefix.includes(`date=${dateOf(0)}`)), "it is over");
});

Deno.test("a chunk of a closed day is found from when its host says so, until a manifest has it", async () => {
  await using here = await scene();
  const { agent, store } = here;
  await agent.catalog.keeper.round(signal);
  const host = await here.agentOf({ host: "web-9" });
  const late = { day: 2, host: "web-9" };
  const days = [{ stream: "logs", date: dateOf(2) }];
  await host.catalog.own.open(days, signal);
  await here.put(late);
  await checkAll(agent, [...here.chunks, late]); // it may be killed here for good
  await host.catalog.own.close(signal);
  await checkAll(agent, [...here.chunks, late]);
  const other = await here.agentOf({ clock: () => LATER_MS + 3_600_000 });
  await other.catalog.keeper.round(signal);
  store.asked();
  await checkAll(agent, [...here.chunks, late]);
  assert.ok(!store.asked().lists.some((prefix) => prefix.startsWith("stream=")), "it is closed");
  await host.catalog.keeper.round(signal);
  assert.equal((await host.catalog.own.known(signal)).all().length, 1, "seen once");
  await host.catalog.keeper.round(signal);
  assert.equal((await host.catalog.own.known(signal)).all().length, 0);
  await checkAll(agent, [...here.chunks, late]);
});

Deno.test("a chunk that came without a word is found once its day is listed again, a week later", async () => {
  await using here = await scene();
  await here.agent.catalog.keeper.round(signal);
  const unsaid = { day: 1, host: "web-3" };
  await here.put(unsaid);
  const week = 7 * 86_400_000;
  for (const [afterMs, isFound] of [[week - 3_600_000, false], [week + 3_600_000, true]] as const) {
    const agent = await here.agentOf({ clock: () => LATER_MS + afterMs });
    await agent.catalog.keeper.round(signal);
    assert.equal((await foundKeys(agent, scopeOf())).includes(keyOf(unsaid)), isFound);
  }
});

Deno.test("manifests that are lost, cut, altered or strange: answers are right, and new ones are made", async () => {
  await using here = await scene();
  const { agent, chunks, manifest } = here;
  await agent.catalog.keeper.round(signal);
  const good = await Promise.all(chunks.map(({ day }) => Deno.readFile(manifest(day))));
  const [whole = new Uint8Array()] = good;
  const flipped = (at: number) => whole.map((byte, i) => i === at ? byte ^ 4 : byte);
  const middle = whole.length / 2 | 0;
  const damages: (Uint8Array | null)[] = [
    null,
    whole.slice(0, middle),
    new Uint8Array(),
    new TextEncoder().encode("PAR1 nothing of the kind PAR1"),
    // Rows, fingerprints, tables, footer.
    ...[60, middle, whole.length - 2_000, whole.length - 300].map(flipped),
  ];
  let nowMs = LATER_MS;
  for (const damage of damages) {
    if (damage === null) await Deno.remove(manifest(0));
    else await Deno.writeFile(manifest(0), damage);
    const reader = await here.agentOf({ host: "web-2", clock: () => nowMs });
    await checkAll(reader, chunks);
    nowMs += 3_600_000;
    await reader.catalog.keeper.round(signal);
    const found = await Deno.readFile(manifest(0));
    assert.ok(found.length > 0);
    assert.notDeepEqual(found, damage, "it is made anew");
    await checkAll(await here.agentOf(), chunks);
  }
});

Deno.test("questions name no more chunks at once than there is room for, listed or by manifests", async () => {
  await using here = await scene();
  const { agent: { catalog } } = here;
  const self = { host: "web-1", region: "eu", labels: {} };
  const archive = new ArchivedChunks({ catalog, self, chunksMax: 11 });
  for (const isKept of [false, true]) {
    if (isKept) await catalog.keeper.round(signal);
    await assert.rejects(archive.find(scopeOf(), signal), {
      code: "bad_sql",
      message: /more than 11 archived chunks: narrow/,
    });
    const half = scopeOf([], { hosts: ["web-1"] });
    {
      using found = await archive.find(half, signal);
      assert.equal(found.chunks.length, DAYS);
      await assert.rejects(archive.find(half, signal), { code: "unavailable" });
    }
    using found = await archive.find(half, signal);
    assert.equal(found.chunks.length, DAYS);
  }
});
