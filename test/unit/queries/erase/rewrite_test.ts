import assert from "node:assert/strict";
import { join } from "node:path";
import { fc } from "../../../harness/properties.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../agent/ingest/read_file.ts";
import type { StoredFile } from "../../../../agent/store/database/catalog.ts";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import { erasedOf, originOf } from "../../../../protocol/chunk/chunk_id.ts";
import { REJECTS, schemaOf } from "../../../../protocol/schema/streams.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { rewriteChunk } from "../../../../queries/erase/rewrite.ts";
import type { Rewritten } from "../../../../queries/erase/rewrite.ts";
import { shapeOfFile } from "../../../../queries/restore/file_shape.ts";
import { linesSelect } from "../../../../queries/restore/restore_sql.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { open, START_MS } from "../../agent/store/scene.ts";
import { times } from "../../../harness/seed.ts";

const HEAD = "10.0.0.1 - - [22/Nov/2026:18:00:0";

const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.nat(9).map((n) => `${HEAD}${n} +0000] "GET /${n} HTTP/1.1" 200 ${n} "-" "x/1.0"`),
  },
  {
    weight: 1,
    arbitrary: fc.nat(9).map((n) => `${HEAD}${n} -0330] "GET / HTTP/1.1" 200 0 "" "" 0.0${n}0`),
  },
  {
    weight: 1,
    arbitrary: fc.nat(9).map((n) => `${HEAD}${n} +0000] "GET /é HTTP/1.1" 200 1 "-" "x"\r`),
  },
  { weight: 2, arbitrary: fc.constantFrom("no line", "", "ünlesbar") },
);

/** Two files, their lines interleaved in one chunk of rows and one of rejects. */
async function sealed(folder: TempFolder, texts: readonly string[][]) {
  const dataDir = folder.join("data");
  await using store = await open(dataDir, () => START_MS);
  for (const [i, lines] of texts.entries()) {
    const path = folder.join(`${i}.log`);
    await Deno.writeTextFile(path, lines.map((text) => `${text}\n`).join(""));
    await readFile({
      path,
      stream: "logs",
      form: plainLines("combined"),
      sink: store,
      nowMs: () => START_MS,
    });
  }
  await store.flush();
  await store.sealAll();
  const { files, generations } = readBooks(dataDir);
  return {
    generations,
    chunks: files.map((file) => ({ ...file, path: join(dataDir, file.path) })),
  };
}

type Chunk = Pick<StoredFile, "id" | "stream" | "path">;

/** Takes the rows out of which one of `lost` is the place. */
async function erase(engine: Engine, chunk: Chunk, lost: readonly number[]) {
  const target = `${chunk.path}.${crypto.randomUUID()}`;
  const list = lost.map((place) => `(${place})`).join(", ");
  await engine.run(
    `COPY (SELECT * FROM (VALUES ${list}) AS places(logvend_row)) TO ${
      literal(`${target}.rows`)
    } (FORMAT parquet)`,
  );
  const shape = await shapeOfFile(engine, chunk.path);
  const { id, stream: table, path: source } = chunk;
  const rewriting = { table, shape, chunk: id, source, rows: `${target}.rows`, target };
  const rewritten = await rewriteChunk(engine, rewriting);
  return { rewritten, chunk: { ...chunk, id: rewritten.chunk, path: target } };
}

async function linesOf(
  engine: Engine,
  chunks: readonly Chunk[],
  generations: readonly { id: string }[],
) {
  const rows = chunks.filter(({ stream }) => stream === "logs").map(({ path }) => path);
  const [first = ""] = rows;
  const shape = first === "" ? undefined : await shapeOfFile(engine, first);
  const sql = linesSelect({
    stream: "logs",
    schema: schemaOf("logs", shape),
    region: "eu",
    range: { since: null, until: null },
    where: null,
    slices: generations.map(({ id }) => ({
      source: { id, path: id, bytes: 1e9 },
      start: 0,
      end: null,
    })),
    files: rows,
    rejects: chunks.filter(({ stream }) => stream === REJECTS).map(({ path }) => path),
  });
  const { rows: lines } = await engine.read(`SELECT piece, decode(bytes) FROM (${sql})`);
  return lines.map(([piece, text]) => `${piece} ${String(text).replace(/\n$/, "")}`);
}

const countOf = ({ counts }: Rewritten) => counts.reduce((sum, { lines }) => sum + lines, 0);

Deno.test("without any of its rows a chunk gives back the other lines; the id tells which, in any steps", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(line, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 2 }),
      fc.infiniteStream(fc.boolean()),
      async (texts, coins) => {
        await using folder = await TempFolder.make();
        const { chunks, generations } = await sealed(folder, texts);
        await using engine = await Engine.open();
        const whole = await linesOf(engine, chunks, generations);
        assert.equal(whole.length, texts.flat().length);
        const left: Chunk[] = [];
        let gone = 0;
        for (const chunk of chunks) {
          const places = Array.from({ length: chunk.rows }, (_, i) => i);
          const lost = places.filter(() => coins.next().value);
          if (lost.length === 0) {
            left.push(chunk);
            continue;
          }
          const once = await erase(engine, chunk, lost);
          gone += lost.length;
          assert.equal(countOf(once.rewritten), lost.length);
          assert.equal(once.rewritten.rows, chunk.rows - lost.length);
          assert.equal(originOf(once.chunk.id), chunk.id);
          assert.equal(erasedOf(once.chunk.id).rows, lost.length);
          left.push(once.chunk);
          const [one = 0, ...others] = lost;
          if (others.length === 0) continue;
          const first = await erase(engine, chunk, others);
          const then = await erase(engine, first.chunk, [
            one - others.filter((place) => place < one).length,
          ]);
          assert.equal(then.chunk.id, once.chunk.id);
          assert.deepEqual(
            await linesOf(engine, [then.chunk], generations),
            await linesOf(engine, [once.chunk], generations),
          );
        }
        const rest = await linesOf(engine, left, generations);
        assert.equal(rest.length, whole.length - gone);
        // In their order, each at most as often as before.
        let at = 0;
        for (const text of rest) {
          while (at < whole.length && whole[at] !== text) at++;
          assert.ok(at++ < whole.length, text);
        }
      },
    ),
    { numRuns: times(6) },
  );
});

Deno.test("a chunk that loses all its rows is there still, without any", async () => {
  await using folder = await TempFolder.make();
  const { chunks } = await sealed(folder, [[`${HEAD}1 +0000] "GET / HTTP/1.1" 200 1 "-" "x"`]]);
  await using engine = await Engine.open();
  const [chunk] = chunks;
  assert.ok(chunk !== undefined);
  const { rewritten, chunk: { path } } = await erase(engine, chunk, [0]);
  assert.equal(rewritten.rows, 0);
  assert.deepEqual(
    (await engine.read(`SELECT count(*)::INT FROM read_parquet(${literal(path)})`)).rows,
    [[0]],
  );
});
