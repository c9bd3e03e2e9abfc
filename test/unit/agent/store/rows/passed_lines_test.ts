import assert from "node:assert/strict";
import { accountReport } from "../../../../../agent/account/report.ts";
import { BatchReader } from "../../../../../agent/ingest/batch_reader.ts";
import { plainLines } from "../../../../../agent/ingest/line_form.ts";
import { ArchivedLines } from "../../../../../agent/store/archived_lines.ts";
import type { LineRun } from "../../../../../agent/store/archived_lines.ts";
import { readBooks } from "../../../../../agent/store/files/stored_files.ts";
import type { Store } from "../../../../../agent/store/store.ts";
import { ACCESS, REJECTS, REJECTS_SCHEMA } from "../../../../../protocol/schema/streams.ts";
import { physicalRows } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import { placedRows } from "../../../../../queries/restore/restore_sql.ts";
import { Random } from "../../../../faults/random.ts";
import { combinedLine } from "../../../../harness/lines.ts";
import { SEED, times } from "../../../../harness/seed.ts";
import { copy, folder, GENERATION, open, parquetFiles, START_MS } from "../scene.ts";

const LINES = 400;

/** A log of lines and rejects; where each line begins, and the end. */
interface Log {
  bytes: Uint8Array;
  starts: number[];
}

function makeLog(random: Random): Log {
  const lines = Array.from(
    { length: LINES },
    (_, i) =>
      random.chance(0.1) ? `no line ${"x".repeat(random.between(0, 300))}\n` : combinedLine(i),
  );
  const encoder = new TextEncoder();
  const starts: number[] = [];
  let at = 0;
  for (const line of lines) {
    starts.push(at);
    at += encoder.encode(line).length;
  }
  return { bytes: encoder.encode(lines.join("")), starts };
}

/** Runs of lines that are archived, and the offsets of the others. */
function split({ bytes, starts }: Log, random: Random): { runs: LineRun[]; others: number[] } {
  const runs: LineRun[] = [];
  const others: number[] = [];
  for (let line = 0; line < starts.length;) {
    const count = Math.min(random.between(1, random.chance(0.2) ? 100 : 4), starts.length - line);
    const [start = 0, end = bytes.length] = [starts[line], starts[line + count]];
    if (random.chance(0.5)) {
      runs.push({ start, lines: count, end: random.chance(0.3) ? end : null });
    } else others.push(...starts.slice(line, line + count));
    line += count;
  }
  return { runs, others };
}

/** Offsets of all lines that a data folder holds, sorted. */
async function offsetsIn(path: string): Promise<number[]> {
  await using engine = await Engine.open();
  const files = await parquetFiles(path);
  const isReject = (file: string) => file.includes(`/${REJECTS}/`);
  const read = async (select: string) => {
    const { rows } = await engine.read(select);
    return rows.map(([offset]) => Number(offset));
  };
  const rows = files.filter((file) => !isReject(file));
  const rejects = files.filter(isReject);
  return [
    ...rows.length === 0 ? [] : await read(`SELECT at_offset FROM (${placedRows(ACCESS, rows)})`),
    ...rejects.length === 0
      ? []
      : await read(`SELECT line_offset FROM (${physicalRows(REJECTS_SCHEMA, rejects)})`),
  ].sort((a, b) => a - b);
}

/** Reads on until a kill, or to the end; true: to the end. */
async function readOn(store: Store, { bytes }: Log, random: Random): Promise<boolean> {
  const generation = store.generations("logs")[0] ?? GENERATION;
  const { offset } = generation;
  const form = plainLines("combined");
  const before = bytes.subarray(Math.max(0, offset - 4_096), offset);
  const options = { form, sink: store, nowMs: () => START_MS };
  const reader = new BatchReader(options, generation, before);
  for (let at = offset; at < bytes.length;) {
    const size = random.between(1, 6_000);
    await reader.add(bytes.subarray(at, at + size));
    await reader.end(false);
    at += size;
    if (random.chance(0.4)) await store.flush();
    if (random.chance(0.15)) return false;
  }
  await store.flush();
  return true;
}

async function lives(seed: number) {
  const random = new Random(seed);
  const log = makeLog(random);
  const { runs, others } = split(log, random);
  await using home = await folder();
  let path = `${home.path}/0`;
  for (let life = 0;; life++) {
    await using store = await open(path);
    const { formerLines } = store.archiveBook;
    if (life === 0) {
      // Other chunks may have the first lines of a run too.
      const parts = runs.flatMap(({ start, lines }) =>
        random.chance(0.5) ? [{ start, lines: random.between(1, lines), end: null }] : []
      );
      formerLines.add(GENERATION.id, random.shuffled([...runs, ...parts]));
      formerLines.finish([], "answered");
      store.putGeneration(GENERATION);
      await store.flush();
    }
    assert.equal(formerLines.isKnown, true);
    if (await readOn(store, log, random)) break;
    path = `${home.path}/${life + 1}`;
    await Deno.mkdir(path);
    await copy(`${home.path}/${life}`, path);
  }
  assert.deepEqual(await offsetsIn(path), others);
  const { streams, differences } = accountReport(readBooks(path), ["logs"], () => true);
  assert.deepEqual(differences, []);
  assert.equal(streams[0]?.read.lines, others.length);
  await using store = await open(path);
  assert.equal(store.former.lines(GENERATION.id)?.from(0) ?? null, null); // nothing is left behind
}

Deno.test("archived lines are passed over and all others read once, whenever it is killed", async (t) => {
  for (let seed = SEED; seed < SEED + times(5); seed++) {
    await t.step(`seed ${seed}`, () => lives(seed));
  }
});

Deno.test("runs that no line begins at any more are forgotten; others wait for their line", () => {
  const runs = [{ start: 10, lines: 2, end: null }, { start: 30, lines: 1, end: null }];
  const lines = new ArchivedLines((from) => runs.filter(({ start }) => start >= from).slice(0, 1));
  assert.equal(lines.from(5)?.start, 10);
  assert.equal(lines.from(12)?.start, 30);
  assert.equal(lines.pass(40, 1), null);
  assert.equal(lines.from(40), null);
});
