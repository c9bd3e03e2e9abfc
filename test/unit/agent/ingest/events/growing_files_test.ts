/** Files of one stream that grow side by side while their lines get other columns and types. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { Tail } from "../../../../../agent/ingest/tail.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { restored } from "../../restore/restored.ts";
import { ask, configured, openStream } from "./scene.ts";
import { SEED } from "../../../../harness/seed.ts";

const FILES = ["a.log", "b.log"];
const KEYS = ["a", "b", "c", "d", "e"];
const ROUNDS = 24;

/** Each key begins with one type; the further on, the more others come. */
const scalar = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000 }),
  fc.integer({ min: -1_000, max: 1_000 }).map((n) => n + 0.25),
  fc.boolean(),
  fc.constantFrom("", "text", 'say "x"\n', "C:\\temp", "é😀", "1", "true"),
);
const first = (key: string) => ({ a: 1, b: 0.5, c: true, d: "text" })[key] ?? null;
const record = (round: number) =>
  fc.record(Object.fromEntries(KEYS.map((key) => [
    key,
    fc.oneof(
      { weight: 30, arbitrary: fc.constant(first(key)) },
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: round >> 2, arbitrary: scalar },
    ),
  ])));

type Value = string | number | boolean | null;
type Written = Map<number, Record<string, Value>>;

/** Lines of one time to be written; some have fewer members. */
function linesOf(round: number, seed: number, written: Written): string {
  const records = fc.sample(record(round), { numRuns: 1 + seed % 90, seed });
  return records.map((values) => {
    const i = written.size;
    const kept = Object.entries(values).filter((_, place) => (seed >> place) % 7 > 0);
    written.set(i, Object.fromEntries(kept));
    return `${JSON.stringify({ i, time: "2026-11-23T09:10:11Z", ...Object.fromEntries(kept) })}\n`;
  }).join("");
}

Deno.test(`two growing files change the columns of their stream: every value and byte is right (LOGVEND_SEED=${SEED})`, async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.join("data");
  const stream = configured({ format: "json", files: [folder.join("*.log")] });
  const written: Written = new Map();
  const texts = new Map(FILES.map((name) => [folder.join(name), ""]));
  for (const part of [0, 1]) { // two starts of the agent
    await using store = await openStream(dataDir, stream);
    await using tail = Tail.start({ streams: [stream], sink: store });
    for (let round = part * ROUNDS / 2; round < (part + 1) * ROUNDS / 2; round++) {
      for (const [file, path] of [...texts.keys()].entries()) {
        const text = linesOf(round, SEED * 7_919 + round * 31 + file * 13, written);
        texts.set(path, texts.get(path) + text);
        await Deno.writeTextFile(path, text, { append: true });
      }
      if (round % 2 === 0) await tail.idle();
      if (round % 5 === 0) await store.flush();
      if (round % 8 === 7) await store.sealAll();
    }
    await tail.idle();
  }
  await using store = await openStream(dataDir, stream);
  checkValues(await ask(store, `SELECT i, ${KEYS.join(", ")} FROM logs ORDER BY i`), written);
  for (const [path, hex] of await restored(dataDir)) {
    assert.equal(new TextDecoder().decode(Uint8Array.fromHex(hex)), texts.get(path), path);
  }
});

function checkValues({ columns, rows }: Awaited<ReturnType<typeof ask>>, written: Written) {
  assert.deepEqual(new Set(columns.slice(1).map(({ type }) => type)), new Set(["VARCHAR"]));
  assert.equal(rows.length, written.size);
  for (const [i, ...values] of rows) {
    for (const [place, key] of KEYS.entries()) {
      const wanted = written.get(Number(i))?.[key] ?? null;
      const found = values[place] ?? null;
      // A number may have become a text, or one with a fraction.
      const same = wanted === null || found === null
        ? wanted === found
        : typeof wanted === "number"
        ? Number(found) === wanted
        : String(found) === String(wanted);
      assert(same, `${i} ${key}: ${found}, wanted ${JSON.stringify(wanted)}`);
    }
  }
}
