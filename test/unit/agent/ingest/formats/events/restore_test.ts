/** Whatever a file holds, rows and rejects make up its bytes again: through the store, DuckDB, restarts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { lineForm } from "../../../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../../../agent/ingest/read_file.ts";
import { linesSelect } from "../../../../../../agent/restore/restore_sql.ts";
import { portionsOf } from "../../../../../../agent/restore/slices.ts";
import { Store } from "../../../../../../agent/store/store.ts";
import { readBooks, readShape } from "../../../../../../agent/store/stored_files.ts";
import { shapeOfFormat } from "../../../../../../agent/stream_format.ts";
import type { Format } from "../../../../../../agent/stream_format.ts";
import { EMPTY_SHAPE } from "../../../../../../protocol/stream_shape.ts";
import { streamSchema } from "../../../../../../protocol/streams.ts";
import { Engine } from "../../../../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../../../../harness/temp_folder.ts";
import { HOUR_MS, START_MS } from "../../../store/scene.ts";
import { EVENTS } from "./any_event.ts";

/** Of each format; more of them are tried by hand when parsers change. */
const RUNS = 3;
const FILES = 4;

const encoder = new TextEncoder();

const broken = fc.uint8Array({ maxLength: 12 }).map((bytes) =>
  bytes.filter((byte) => byte !== 0x0a)
);

/** Lines that come again, with something in one of them now and then. */
function fileOf(line: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array[]> {
  const mutated = fc.tuple(line, fc.nat(60), broken).map(([text, at, bytes]) => {
    const whole = encoder.encode(text);
    return Uint8Array.from([...whole.subarray(0, at), ...bytes, ...whole.subarray(at)]);
  });
  const plain = line.map((text) => encoder.encode(text));
  const some = fc.oneof(
    { weight: 8, arbitrary: plain },
    { weight: 1, arbitrary: mutated },
    { weight: 1, arbitrary: broken },
  );
  return fc.array(some, { minLength: 1, maxLength: 15 })
    .chain((kinds) => fc.array(fc.constantFrom(...kinds), { minLength: 2, maxLength: 60 }));
}

async function open(dataDir: string, format: Format): Promise<Store> {
  return await Store.open({
    dataDir,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    shapes: new Map([["logs", shapeOfFormat(format)]]),
    sealAfterMs: 0,
    sealsHere: true,
    clock: () => START_MS + HOUR_MS / 2,
    signal: new AbortController().signal,
  });
}

/** Reads files into a store that is opened for it. */
async function take(dataDir: string, format: Format, paths: readonly string[], seal: boolean) {
  await using store = await open(dataDir, format);
  const stream = { name: "logs", format, files: [], redact: [], multiline: undefined };
  for (const path of paths) {
    const form = lineForm(stream, store.shape("logs"), null);
    await readFile({ path, stream: "logs", form, sink: store, nowMs: () => START_MS });
  }
  await store.flush();
  if (seal) await store.sealAll();
}

/** The bytes by path, as hex. */
async function restored(dataDir: string): Promise<Map<string, string>> {
  const { generations, files } = readBooks(dataDir);
  const sources = generations.map(({ id, path, offset }) => ({ id, path, bytes: offset }));
  const found = files.map(({ path, runs }) => ({ path: join(dataDir, path), runs }));
  const rejects = new Set(
    files.filter(({ stream }) => stream === "rejects").map(({ path }) => join(dataDir, path)),
  );
  const texts = new Map<string, string>();
  await using engine = await Engine.open();
  for (const { files, slices } of portionsOf(sources, found, 1e6)) {
    const sql = linesSelect({
      stream: "logs",
      schema: streamSchema(readShape(dataDir, "logs") ?? EMPTY_SHAPE),
      region: "eu",
      range: { since: null, until: null },
      where: null,
      slices,
      files: files.filter((path) => !rejects.has(path)),
      rejects: files.filter((path) => rejects.has(path)),
    });
    const { rows } = await engine.read(
      `SELECT piece, hex(bytes) FROM (${sql}) AS lines`,
    );
    for (const [piece, hex] of rows) {
      const path = slices[Number(piece)]?.source.path ?? "";
      texts.set(path, (texts.get(path) ?? "") + String(hex));
    }
  }
  return texts;
}

function bytesOf(lines: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(lines.flatMap((line) => [...line, 0x0a]));
}

for (const { format, line } of EVENTS) {
  Deno.test(`lines of ${JSON.stringify(format)} come back byte for byte`, async () => {
    const files = fc.array(fc.tuple(fileOf(line), fc.boolean()), {
      minLength: FILES,
      maxLength: FILES,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }), async (
        contents,
        [sealsFirst = false, sealsLast = false],
      ) => {
        await using folder = await TempFolder.make();
        const dataDir = folder.join("data");
        const wanted = new Map<string, string>();
        const paths: string[] = [];
        const files = contents.map(([lines, isCut], i) => ({
          lines: [encoder.encode(`file ${i}`), ...lines], // what is the same is read once
          isCut,
        }));
        for (const [i, { lines, isCut }] of files.entries()) {
          const half = isCut ? lines.length >> 1 : lines.length;
          const path = await folder.write(`${i}.log`, bytesOf(lines.slice(0, half)));
          paths.push(path);
          if (lines.length > 0) wanted.set(path, bytesOf(lines).toHex().toUpperCase());
        }
        await take(dataDir, format, paths, sealsFirst);
        for (const [i, { lines }] of files.entries()) {
          await Deno.writeFile(paths[i] ?? "", bytesOf(lines));
        }
        await take(dataDir, format, paths, sealsLast);
        assert.deepEqual(await restored(dataDir), wanted);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
}
