import assert from "node:assert/strict";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { fileTarget, formatRows, writeRows } from "../../../../queries/answer/format.ts";
import type { RowFormat } from "../../../../queries/answer/format.ts";
import { jsonCopyList } from "../../../../queries/answer/json_copy.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { columnsOf } from "../../../../queries/transfer/export.ts";

/** An engine with a table `answer`, and the bytes that a format makes of it. */
async function answer(sql: string, check: (scene: Scene) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await using engine = await Engine.open();
    await engine.run(`CREATE TABLE answer AS ${sql}`);
    const bytes = async (format: RowFormat) => {
      const table = { from: "answer", columns: await columnsOf(engine, "answer") };
      const pieces = await Array.fromAsync(formatRows(engine, table, format, folder));
      return new Uint8Array(await new Blob(pieces).arrayBuffer());
    };
    const text = async (format: RowFormat) => new TextDecoder().decode(await bytes(format));
    await check({ engine, folder, bytes, text });
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), [], "scratch files are deleted");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Scene {
  engine: Engine;
  folder: string;
  bytes: (format: RowFormat) => Promise<Uint8Array<ArrayBuffer>>;
  text: (format: RowFormat) => Promise<string>;
}

const SAMPLE = `
  SELECT 200 AS status, 9007199254740993 AS big, 5::BIGINT AS small,
    170141183460469231731687303715884105727 AS huge, 0.1::DOUBLE AS share, 'nan'::DOUBLE AS none,
    '-inf'::DOUBLE AS least, 1.50::DECIMAL(5, 2) AS price, 0.1::FLOAT AS single,
    12345678901234567890.123456789::DECIMAL(38, 9) AS precise,
    TIMESTAMP '2026-11-22 19:00:00.123456' AS ts, '2026-11-22 19:00:00+00'::TIMESTAMPTZ AS zoned,
    DATE '2026-11-22' AS day, INTERVAL 90 MINUTE AS span, '\\x00a'::BLOB AS raw, 'a"é' AS text,
    NULL::INTEGER AS missing, true AS yes, [1, NULL] AS list,
    {'a': 9007199254740993, 'b': ['x'], 'c': 99999999999999999999::HUGEINT} AS nested,
    ['nan'::DOUBLE] AS odd, '{"k": [1.0]}'::JSON AS json`;

Deno.test("JSON rows hold numbers where a double is exact, and text where it is not", async () => {
  await answer(SAMPLE, async ({ text }) => {
    const expected = {
      status: 200,
      big: "9007199254740993",
      small: 5,
      huge: "170141183460469231731687303715884105727",
      share: 0.1,
      none: "nan",
      least: "-inf",
      price: 1.5,
      single: 0.1,
      precise: "12345678901234567890.123456789",
      ts: "2026-11-22 19:00:00.123456",
      zoned: "2026-11-22 19:00:00+00",
      day: "2026-11-22",
      span: "01:30:00",
      raw: "\\x00a",
      text: 'a"é',
      missing: null,
      yes: true,
      list: [1, null],
      nested: { a: "9007199254740993", b: ["x"], c: "99999999999999999999" },
      odd: ["nan"],
      json: { k: [1] },
    };
    const { odd, ...row } = JSON.parse(await text("json"))[0];
    assert.deepEqual({ ...row, odd: ["nan"] }, expected);
    assert.match(JSON.stringify(odd), /nan/i);
    assert.deepEqual(JSON.parse(await text("jsonl")).nested, expected.nested);
  });
});

Deno.test("JSON that DuckDB writes has the same values", async () => {
  const plain = `SELECT * EXCLUDE (precise, list, nested, odd, json),
      9007199254740991 AS largest, -9007199254740992 AS beyond,
      1e300::DOUBLE AS far, 123456789.12345679::DOUBLE AS long, 'inf'::FLOAT AS endless,
      3.4e38::FLOAT AS wide, 99999999999.9999::DECIMAL(15, 4) AS price_long, 255::UTINYINT AS tiny,
      18446744073709551615::UBIGINT AS unsigned, 'a"b\\c' || chr(1) || chr(10) || chr(8232) AS "odd name"
    FROM (${SAMPLE})`;
  await answer(`(${plain}) UNION ALL (${plain})`, async (scene) => {
    const { engine, folder, text } = scene;
    const columns = await columnsOf(engine, "answer");
    assert.notEqual(jsonCopyList(columns), null);
    for (const format of ["json", "jsonl"] as const) {
      const file = join(folder, format);
      const count = await writeRows(engine, { from: "answer", columns }, format, fileTarget(file));
      assert.equal(count, 2);
      const parse = (rows: string) =>
        format === "json"
          ? JSON.parse(rows)
          : rows.trimEnd().split("\n").map((row) => JSON.parse(row));
      assert.deepEqual(parse(await Deno.readTextFile(file)), parse(await text(format)));
      await Deno.remove(file);
    }
    const nested = [{ name: "list", type: "BIGINT[]" }, { name: "json", type: "JSON" }];
    assert.deepEqual(nested.map((column) => jsonCopyList([column])), [null, null]);
  });
});

Deno.test("long answers come whole and in order, in every format", async () => {
  await answer("SELECT i, 'row ' || i AS t FROM range(5000) r(i)", async (scene) => {
    const { engine, folder, bytes, text } = scene;
    const rows = JSON.parse(await text("json"));
    assert.equal(rows.length, 5000);
    assert.ok(rows.every((row: { i: number; t: string }, i: number) => row.i === i));
    const lines = (await text("jsonl")).trimEnd().split("\n");
    assert.equal(lines.length, 5000);
    assert.equal(lines[4999], '{"i":4999,"t":"row 4999"}');
    const csv = (await text("csv")).trimEnd().split("\n");
    assert.deepEqual([csv.length, csv[0], csv[5000]], [5001, "i,t", "4999,row 4999"]);
    const arrow = tableFromIPC(await bytes("arrow"));
    assert.equal(arrow.numRows, 5000);
    assert.equal(arrow.get(4999)?.["t"], "row 4999");
    const file = join(folder, "check.parquet");
    await Deno.writeFile(file, await bytes("parquet"));
    const { rows: counted } = await engine.read(
      `SELECT count(*), sum(i), any_value(t) FILTER (i = 4999) FROM read_parquet('${file}')`,
    );
    assert.deepEqual(counted, [[5000n, 12497500n, "row 4999"]]);
    await Deno.remove(file);
  });
});

Deno.test("an answer without rows is an answer in every format", async () => {
  await answer("SELECT 1 AS a, 'x' AS b WHERE false", async ({ bytes, text }) => {
    assert.deepEqual(JSON.parse(await text("json")), []);
    assert.equal(await text("jsonl"), "");
    assert.equal(await text("csv"), "a,b\n");
    const arrow = tableFromIPC(await bytes("arrow"));
    assert.deepEqual([arrow.numRows, arrow.schema.names], [0, ["a", "b"]]);
    assert.ok((await bytes("parquet")).length > 0);
  });
});

Deno.test("Parquet keeps the digits of sums", async () => {
  await answer(SAMPLE, async ({ engine, folder, bytes }) => {
    await engine.run("CREATE TABLE sums AS SELECT sum(status) AS s, max(zoned) AS z FROM answer");
    const file = join(folder, "sums.parquet");
    const table = { from: "sums", columns: await columnsOf(engine, "sums") };
    const pieces = await Array.fromAsync(formatRows(engine, table, "parquet", folder));
    await Deno.writeFile(file, new Blob(pieces).stream());
    await engine.run(`CREATE TABLE back AS FROM read_parquet('${file}')`);
    assert.deepEqual(await columnsOf(engine, "back"), [
      { name: "s", type: "DECIMAL(38,0)" },
      { name: "z", type: "TIMESTAMP WITH TIME ZONE" },
    ]);
    await Deno.remove(file);
    await assert.rejects(bytes("parquet"), /DECIMAL/); // the largest HUGEINT has 39 digits
  });
});

Deno.test("Arrow columns have the types and values of the answer", async () => {
  const sql = SAMPLE.replace("SELECT 200 AS", "SELECT unnest([200, NULL]) AS").replace(
    /1701\d+ AS huge/,
    "-12345678901234567890::HUGEINT AS huge",
  );
  await answer(sql, async ({ bytes }) => {
    const table = tableFromIPC(await bytes("arrow"));
    const types = Object.fromEntries(
      table.schema.fields.map(({ name, type }) => [name, `${type}`]),
    );
    assert.equal(types["status"], "Int32");
    assert.equal(types["big"], "Int64");
    assert.equal(types["ts"], "Timestamp<MICROSECOND>");
    assert.equal(types["zoned"], "Timestamp<MICROSECOND, UTC>");
    assert.equal(types["raw"], "Binary");
    const column = (name: string) => table.getChild(name);
    assert.deepEqual([...column("status") ?? []], [200, null]);
    assert.equal(column("big")?.get(0), 9007199254740993n);
    assert.equal(column("ts")?.data[0]?.values[0], 1795374000123456n);
    assert.equal(column("day")?.data[0]?.values[0], 20779);
    assert.deepEqual([...column("raw")?.get(0) ?? []], [0, 97]);
    assert.equal(column("yes")?.get(1), true);
    assert.equal(column("missing")?.get(0), null);
    assert.equal(column("list")?.get(0), "[1, NULL]");
    const [low = 0n, high = 0n] = new BigUint64Array(
      new Uint32Array(column("huge")?.get(0)).buffer,
    );
    assert.equal(BigInt.asIntN(128, (high << 64n) | low), -12345678901234567890n);
  });
});

Deno.test("Arrow has the values of every row, of several chunks and among NULLs", async () => {
  const sql = `SELECT * REPLACE (if(i % 7 = 0, NULL, t) AS t, if(i % 5 < 3, NULL, yes) AS yes,
      if(i % 3 = 0, NULL, price) AS price, if(i % 2 = 0, NULL, raw) AS raw, if(i < 2500, NULL, day) AS day)
    FROM (SELECT i, CASE WHEN i % 4 = 0 THEN '' WHEN i % 4 = 1 THEN 'short é' ELSE
        'a longer text ' || i END AS t, i % 3 = 0 AS yes, (i / 7)::DECIMAL(9, 3) - 300 AS price,
      encode('bytes of row ' || i) AS raw, DATE '2026-11-22' - i::INTEGER AS day, -i::HUGEINT AS huge,
      i / 3.0::DOUBLE AS share, (i % 100)::TINYINT AS tiny
    FROM range(5000) r(i))`;
  await answer(sql, async ({ engine, bytes }) => {
    const table = tableFromIPC(await bytes("arrow"));
    const { rows } = await engine.read(
      `SELECT i, t, yes, price::VARCHAR, decode(raw), epoch_ms(day::TIMESTAMP), huge, share, tiny
       FROM answer ORDER BY i`,
    );
    const decode = (value: Uint8Array | null) => value && new TextDecoder().decode(value);
    const readings: Readonly<Record<string, (value: unknown) => unknown>> = {
      price: (value) => value && (Number(wholeOf(value)) / 1_000).toFixed(3),
      raw: (value) => decode(value as Uint8Array | null),
      day: (value) => value && BigInt(Number(value)),
      huge: (value) => wholeOf(value),
    };
    for (const [column, { name }] of table.schema.fields.entries()) {
      const read = readings[name] ?? ((value) => value);
      const found = [...table.getChild(name) ?? []].map((value) => read(value));
      const expected = rows.map((row) => row[column]);
      assert.deepEqual(found, expected, name);
    }
  });
});

/** Of a decimal's four words. */
function wholeOf(words: unknown): bigint {
  const [a = 0, b = 0, c = 0, d = 0] = words as Uint32Array;
  return BigInt.asIntN(
    128,
    BigInt(a) | BigInt(b) << 32n | BigInt(c) << 64n | BigInt(d) << 96n,
  );
}
