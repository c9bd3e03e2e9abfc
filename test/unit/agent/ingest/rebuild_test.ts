import assert from "node:assert/strict";
import { DuckDBBlobValue } from "@duckdb/node-api";
import fc from "fast-check";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { LineCutter } from "../../../../agent/ingest/blocks.ts";
import { createLineParser } from "../../../../agent/ingest/formats/format.ts";
import { createRebuilder } from "../../../../agent/ingest/formats/rebuild.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import type { Batch } from "../../../../agent/store/batch.ts";
import { MemoryRows } from "../../../../agent/store/memory_rows.ts";
import { tableSelect } from "../../../../protocol/streams.ts";
import { generateLines } from "../../../../orchestrator/generate/lines.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";

const part = fc.oneof(
  fc.constantFrom(
    "-",
    "",
    '\\"',
    "\\x22",
    "\\",
    '"',
    " ",
    "[",
    "] ",
    "é",
    "\0",
    "\r",
    "😀",
    "\ufeff",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
);
const odd = fc.array(part, { maxLength: 3 }).map((parts) => parts.join("").replaceAll("\n", ""));
const plain = fc.stringMatching(/^[a-z0-9\u00e9./-]{1,9}$/);
const field = fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: odd });
const digits = fc.nat(99).map((n) => String(n).padStart(2, "0"));
const month = fc.constantFrom("Jan", "Feb", "Jun", "Dec", "dec", "Foo");
const zone = fc.tuple(fc.constantFrom("+", "-"), digits, fc.constantFrom("00", "30", "60"))
  .map((parts) => parts.join(""));
const year = fc.constantFrom("1969", "1970", "2023", "2024", "2261", "2262", "9999");
const goodTime = fc.integer({ min: 0, max: 9e9 }).map((s) => new Date(s * 1_000).toISOString());
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const oddTime = fc.tuple(digits, month, year, fc.nat(25), digits, digits, zone)
  .map(([d, m, y, h, min, s, z]) =>
    `${d}/${m}/${y}:${String(h).padStart(2, "0")}:${min}:${s} ${z}`
  );
const nginxTime = fc.oneof(
  oddTime,
  fc.tuple(goodTime, fc.constantFrom("+0000", "-0000", "+0530", "-1130", "+2359")).map(([t, z]) =>
    `${t.slice(8, 10)}/${MONTHS[Number(t.slice(5, 7)) - 1]}/${t.slice(0, 4)}:${
      t.slice(11, 19)
    } ${z}`
  ),
);
const numberText = fc.oneof(
  { weight: 3, arbitrary: fc.nat().map(String) },
  fc.constantFrom("-", "00", "007", "1e3", "1.0", "-0", "9".repeat(18), "9".repeat(19), "null"),
);
const request = fc.oneof(field, field.map((target) => `GET /${target} HTTP/1.1`));
const end = fc.constantFrom(
  "",
  " 0.001",
  " 1.5",
  " 12345.678",
  ' "x" 0.010',
  "\r",
  " -",
  " 2000000.000",
);
const status = fc.constantFrom("200", "404", "500", "000", "99", "1e2", "null");

const combined = fc.record({
  a: field,
  user: field,
  time: nginxTime,
  request,
  status,
  n: numberText,
  r: field,
  u: field,
  end,
})
  .map((l) =>
    `${l.a} - ${l.user} [${l.time}] "${l.request}" ${l.status} ${l.n} "${l.r}" "${l.u}"${l.end}`
  );
const json = fc.record({
  a: field,
  time: goodTime,
  cut: fc.constantFrom(19, 24),
  m: field,
  r: field,
  status,
  n: numberText,
  u: field,
  raw: fc.boolean(),
})
  .map((l) => {
    const text = (value: string) => l.raw ? `"${value}"` : JSON.stringify(value);
    return `{"remote_addr":${text(l.a)},"remote_user":"-","time_local":"${
      l.time.slice(0, l.cut)
    }",` +
      `"http_method":${text(l.m)},"request":${text(l.r)},"http_version":"HTTP/1.1",` +
      `"status":${l.status},"body_bytes_sent":${l.n},"http_referer":"-","http_user_agent":${
        text(l.u)
      }}`;
  });
const encoder = new TextEncoder();
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const anyLine = fc.oneof(
  { weight: 5, arbitrary: combined.map((text) => encoder.encode(text)) },
  { weight: 5, arbitrary: json.map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.tuple(combined, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = encoder.encode(text);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  },
).map((bytes) => bytes.filter((byte) => byte !== 0x0a));

const range = { seed: 7, count: 200, startMs: 0, endMs: 86_400_000 };
const generated = [
  ...generateLines({ ...range, format: "combined" }),
  ...generateLines({ ...range, format: "combined_time" }),
  ...generateLines({ ...range, format: "json" }),
].map((text) => encoder.encode(text));
const fuzzed = fc.sample(anyLine, { numRuns: 4_000, seed: 1 });

Deno.test("every stored line comes out of the SQL byte for byte, whatever is in it", async () => {
  assert(await checkLines([...generated, ...fuzzed]) > 900);
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
  const batches = [...maker.batches({ cut, window: file, before: new Uint8Array() })];
  assert.equal(batches.reduce((sum, batch) => sum + batch.lines, 0), lines.length);

  const rows = await storedLines(batches);
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
    fc.property(fc.oneof(combined, json), (line) => {
      const row = parse(line);
      if (typeof row !== "string" && row.layout !== null) assert.equal(rebuild(row), line);
    }),
    { numRuns: 2_000 },
  );
});

interface Stored {
  offset: number;
  /** UTF-8. */
  text: Uint8Array;
  bytes: Uint8Array;
}

/** The lines as the view of protocol/streams.ts shows them, from a Parquet file. */
async function storedLines(batches: readonly Batch[]): Promise<Stored[]> {
  const folder = await Deno.makeTempDir();
  try {
    await using memory = await MemoryRows.open("web-1", ["logs"]);
    for (const batch of batches) await memory.add("logs", "access.log", batch);
    const path = `${folder}/rows.parquet`;
    await memory.copyAll("logs", path);
    await using engine = await Engine.open();
    const view = tableSelect("logs", { files: [path], region: "r", since: null, until: null });
    const { rows } = await engine.read(
      `SELECT line_offset, encode(line), line_bytes FROM (${view})
         POSITIONAL JOIN (SELECT line_offset FROM read_parquet('${path}'))`,
    );
    return rows.map(([offset, text, bytes]) => {
      return { offset: Number(offset), text: bytesOf(text), bytes: bytesOf(bytes) };
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bytesOf(value: unknown): Uint8Array {
  assert(value instanceof DuckDBBlobValue);
  return new Uint8Array(value.bytes);
}
