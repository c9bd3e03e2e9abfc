import assert from "node:assert/strict";
import { clearImmediate, setImmediate } from "node:timers";
import { hashOf } from "../../../../../protocol/archive/catalog/fingerprints.ts";
import { Manifest } from "../../../../../protocol/archive/catalog/manifest.ts";
import type { ManifestReader } from "../../../../../protocol/archive/catalog/manifest.ts";
import { writeManifest } from "../../../../../agent/archive/catalog/write_manifest.ts";
import type {
  DescribedChunk,
  KeptManifest,
} from "../../../../../agent/archive/catalog/write_manifest.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { Random } from "../../../../faults/random.ts";
import { SEED, times } from "../../../../harness/seed.ts";

/** Of some 6,000. */
const BYTES = times(400);

const TEXTS = ["a", "b", "c", "nobody's"];

/** Five chunks, of which each has a text more than the one before; the last is not known. */
async function written(folder: TempFolder): Promise<Uint8Array> {
  const path = folder.join("manifest.parquet");
  const added = [0, 1, 2, 3, 4].map((i) => ({
    entry: {
      ...{ hour: 20 - i, host: `web-${i % 2}`, chunk: String(i).padStart(16, "0"), bytes: i },
      ...{ etag: `"${i}"`, rows: i === 4 ? null : 7, firstUs: 5, lastUs: i === 4 ? null : 9 },
      ...{ sha256: null, texts: { user: i === 4 ? null : { min: "a", max: "c" } } },
    },
    hashes: i === 4 ? new Map() : new Map([
      ["user", Float64Array.from(TEXTS.slice(0, i), hashOf).sort()],
    ]),
  }));
  const day = { stream: "logs", region: "eu", date: "2026-11-22" };
  const facts = { listed_ms: 3, indexed: ["user"], changes: { "host=a": "1" } };
  await writeManifest(path, { day, facts, kept: null, added });
  return await Deno.readFile(path);
}

async function contentOf(bytes: Uint8Array) {
  const read = ({ start, end }: { start: number; end: number }) =>
    Promise.resolve(bytes.slice(start, end));
  const manifest = await Manifest.open(bytes.length, read);
  const entries = await manifest.entries(read);
  const found = await Promise.all(
    TEXTS.map(async (text) => [...await manifest.chunksWith("user", [text], read) ?? []].sort()),
  );
  return { facts: manifest.facts, entries, found };
}

Deno.test("a manifest says which chunks there are, which may have a text, and is Parquet to others", async () => {
  await using folder = await TempFolder.make();
  const { facts, entries, found } = await contentOf(await written(folder));
  assert.deepEqual(entries.map(({ hour }) => hour), [16, 17, 18, 19, 20]);
  assert.deepEqual(found, [[0, 1, 2, 3], [0, 1, 2], [0, 1], [0]], "the first may have any");
  assert.deepEqual(facts.hosts, {
    "web-0": "000000000000000010101000",
    "web-1": "000000000000000001010000",
  });
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT host, chunk, rows, user_min FROM '${folder.join("manifest.parquet")}' WHERE hour = 17`,
  );
  assert.deepEqual(rows, [["web-1", "0000000000000003", 7n, "a"]]);
});

/** Enough for slices: some 18,000 texts of chunks. */
const MANY = { chunks: 300, texts: 5_000, ofChunk: 60 };

Deno.test("texts of many slices are found in their chunks, made at once or of an older manifest and new chunks", async () => {
  await using folder = await TempFolder.make();
  const random = new Random(SEED);
  const textsOf = Array.from({ length: MANY.chunks }, () => {
    const some = Array.from({ length: MANY.ofChunk }, () => random.between(1, MANY.texts));
    return new Set(some.map((text) => `text ${text}`));
  });
  const all = textsOf.map((texts, i): DescribedChunk => ({
    entry: {
      ...{ hour: 0, host: "web-1", chunk: String(i).padStart(16, "0"), bytes: i, etag: `"${i}"` },
      ...{ rows: 7, firstUs: 5, lastUs: 9, sha256: null, texts: { user: null } },
    },
    hashes: new Map([["user", Float64Array.from(texts, hashOf).sort()]]),
  }));
  const write = async (name: string, added: DescribedChunk[], kept: KeptManifest | null) => {
    const path = folder.join(name);
    const day = { stream: "logs", region: "eu", date: "2026-11-22" };
    const facts = { listed_ms: 3, indexed: ["user"], changes: {} };
    await writeManifest(path, { day, facts, kept, added });
    const bytes = await Deno.readFile(path);
    const read: ManifestReader = ({ start, end }) => Promise.resolve(bytes.slice(start, end));
    const manifest = await Manifest.open(bytes.length, read);
    assert.ok((manifest.tables.get("user")?.bits ?? 0) >= 2, "there are several slices");
    return { manifest, read };
  };
  const check = async ({ manifest, read }: Awaited<ReturnType<typeof write>>, chunks: number[]) => {
    for (let text = 1; text <= MANY.texts; text += 7) {
      const found = await manifest.chunksWith("user", [`text ${text}`], read) ?? new Set();
      const wanted = chunks.flatMap((chunk, row) =>
        textsOf[chunk]?.has(`text ${text}`) === true ? [row] : []
      );
      assert.deepEqual([...found].sort((a, b) => a - b), wanted, `text ${text}`);
    }
  };
  const indexes = [...all.keys()];
  await check(await write("whole", all, null), indexes);
  const isOlder = (i: number) => i % 3 !== 1;
  const isGone = (i: number) => i % 10 === 0;
  const older = await write("older", all.filter((_, i) => isOlder(i)), null);
  const entries = (await older.manifest.entries(older.read)).map((entry) =>
    isGone(entry.bytes) ? null : entry
  );
  const added = all.filter((_, i) => !isOlder(i));
  const left = indexes.filter((i) => !isOlder(i) || !isGone(i));
  await check(await write("both", added, { ...older, entries }), left);
});

Deno.test("of a manifest only the chunks that are wanted are made, and others have their turn meanwhile", async () => {
  await using folder = await TempFolder.make();
  const bytes = await written(folder);
  const read = ({ start, end }: { start: number; end: number }) =>
    Promise.resolve(bytes.slice(start, end));
  const manifest = await Manifest.open(bytes.length, read);
  const all = (await manifest.entries(read)).map(({ sha256: _, ...entry }, row) => ({
    row,
    entry,
  }));
  let turns = 0;
  let timer = setImmediate(function next() {
    turns++;
    timer = setImmediate(next);
  });
  const some = await manifest.someEntries(read, (host, row) => host === "web-1" && row > 1);
  clearImmediate(timer);
  assert.deepEqual(some, all.filter(({ row, entry: { host } }) => host === "web-1" && row > 1));
  assert.deepEqual(some.map(({ row }) => row), [3]);
  assert.ok(turns >= 5, `${turns} turns`);
  assert.deepEqual(await manifest.someEntries(read, () => false), []);
});

Deno.test("a byte that is another one is noticed, or of no matter", async () => {
  await using folder = await TempFolder.make();
  const bytes = await written(folder);
  const content = await contentOf(bytes);
  const random = new Random(SEED);
  let noticed = 0;
  for (let i = 0; i < BYTES; i++) {
    const at = random.between(0, bytes.length - 1);
    const flipped = bytes.map((byte, j) => j === at ? byte ^ (1 << (i % 8)) : byte);
    const found = await contentOf(flipped).catch(() => null);
    if (found === null) noticed++;
    else assert.deepEqual(found, content, `byte ${at}`);
  }
  assert.ok(noticed > BYTES * 0.95, `${noticed} of ${BYTES}`);
});
