import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { ACCESS } from "../../../../protocol/schema/streams.ts";
import assert from "node:assert/strict";
import { DuckDBBlobValue } from "@duckdb/node-api";
import { fc } from "../../../harness/properties.ts";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { LineCutter } from "../../../../agent/ingest/blocks.ts";
import { createLineParser } from "../../../../agent/ingest/formats/format.ts";
import { createRebuilder } from "../../../../agent/ingest/formats/rebuild.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import type { Batch } from "../../../../agent/store/batch.ts";
import { MemoryRows } from "../../../../agent/store/rows/memory_rows.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { anyLine, combined, common, generatedLines, json } from "./any_line.ts";
import { plainBatch } from "./plain_batch.ts";
import type { PlainBatch } from "./plain_batch.ts";
import { times } from "../../../harness/seed.ts";

const encoder = new TextEncoder();
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const generated = (["combined", "combined_time", "json"] as const)
  .flatMap((format) => [...generatedLines(format)]).map((text) => encoder.encode(text));
const fuzzed = fc.sample(anyLine, times(4_000));

Deno.test("every stored line comes out of the SQL byte for byte, whatever is in it", async () => {
  const rebuilt = await checkLines([...generated, ...fuzzed]);
  assert(rebuilt > generated.length + 200, "fuzzed ones too");
});

Deno.test("lines of servers are rebuilt from their columns, none is kept whole", async () => {
  assert.equal(await checkLines(generated), generated.length);
});

/** Stores lines and compares what the SQL shows; returns how many are rebuilt from columns. */
async function checkLines(lines: readonly Uint8Array[]): Promise<number> {
  const file = Uint8Array.from(lines.flatMap((line) => [...line, 0x0a]));
  const cut = new LineCutter(0).cut(file, true);
  assert(cut.kind === "lines");
  const maker = new BatchMaker("0123456789abcdef", plainLines("auto"), () => 0);
  const { rows, batches } = await stored(
    maker.batches({ cut, window: file, before: new Uint8Array() }),
  );
  assert.equal(batches.reduce((sum, batch) => sum + batch.lines, 0), lines.length);

  const byOffset = new Map(rows.map((row) => [row.offset, row]));
  for (const [i, offset] of offsetsOf(lines).entries()) {
    const row = byOffset.get(offset);
    if (row === undefined) continue; // a reject
    assert.deepEqual(row.bytes, new Uint8Array(lines[i] ?? []));
    assert.deepEqual(row.text, encoder.encode(lossy.decode(lines[i])));
  }
  assert.equal(rows.length, batches.reduce((sum, batch) => sum + batch.rows.ts.length, 0));
  return batches.flatMap((batch) => batch.rows.layout).filter((layout) => layout !== null).length;
}

function offsetsOf(lines: readonly Uint8Array[]): number[] {
  let next = 0;
  return lines.map((line) => {
    const offset = next;
    next += line.length + 1;
    return offset;
  });
}

Deno.test("the layout of a row is set only when its columns rebuild the line", () => {
  const parse = createLineParser("auto");
  const rebuild = createRebuilder();
  fc.assert(
    fc.property(fc.oneof(combined, common, json), (line) => {
      const row = parse(line);
      if (typeof row !== "string" && row.layout !== null) assert.equal(rebuild(row), line);
    }),
    { numRuns: times(2_000) },
  );
});

interface Stored {
  offset: number;
  /** UTF-8. */
  text: Uint8Array;
  bytes: Uint8Array;
}

/** The lines as the view of protocol/schema/streams.ts shows them, from a Parquet file. */
async function stored(
  batches: Iterable<Batch>,
): Promise<{ rows: Stored[]; batches: PlainBatch[] }> {
  const folder = await Deno.makeTempDir();
  try {
    await using memory = await MemoryRows.open("web-1", new Map([["logs", ACCESS_SHAPE]]));
    const plain: PlainBatch[] = [];
    for (const batch of batches) {
      memory.add("logs", "access.log", batch);
      plain.push(plainBatch(batch));
    }
    const path = `${folder}/rows.parquet`;
    await memory.copyAll("logs", path);
    await using engine = await Engine.open();
    const view = tableSelect(ACCESS, { files: [path], region: "r", since: null, until: null });
    const { rows } = await engine.read(
      `SELECT encode(line), line_bytes FROM (${view})`,
    );
    const offsets = plain.flatMap((batch) => batch.rows.line_offset).map(Number);
    return {
      rows: rows.map(([text, bytes], i) => {
        return { offset: offsets[i] ?? NaN, text: bytesOf(text), bytes: bytesOf(bytes) };
      }),
      batches: plain,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bytesOf(value: unknown): Uint8Array {
  assert(value instanceof DuckDBBlobValue);
  return new Uint8Array(value.bytes);
}
