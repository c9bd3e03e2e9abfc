/** Tables leave one DuckDB and enter another: every value and type comes through. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fc } from "../../../harness/properties.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { identifier } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { columnsOf, exportTable } from "../../../../queries/transfer/export.ts";
import {
  createBroadcastTable,
  createPartialTable,
  importPart,
} from "../../../../queries/transfer/import.ts";
import type { Part } from "../../../../queries/transfer/import.ts";
import { times } from "../../../harness/seed.ts";

const text = (value: string) => `'${value.replaceAll("'", "''")}'`;

/** SQL literals of every type that can travel, with the edges of each. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  BOOLEAN: ["true", "false"],
  TINYINT: ["-128", "127"],
  BIGINT: ["-9223372036854775808", "9223372036854775807", "0"],
  UBIGINT: ["18446744073709551615"],
  HUGEINT: ["170141183460469231731687303715884105727", "-1", "9007199254740993"],
  UHUGEINT: ["340282366920938463463374607431768211455"],
  FLOAT: ["'nan'", "'-inf'", "0.1", "-0.0", "3.4028235e38", "1e-45"],
  DOUBLE: ["'nan'", "'inf'", "'-0.0'", "0.1", "'5e-324'", "'1.7976931348623157e308'", "1.0/3"],
  "DECIMAL(38,10)": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
  "DECIMAL(4,1)": ["-999.9"],
  VARCHAR: ["''", "'null'", "'NULL'", "'a''b\"c,d'", "'é🙂 ñ'", "chr(10) || chr(9)", "' '"],
  BLOB: ["''::BLOB", "'\\x00\\xFF\\x5C'::BLOB", "'abc\\x22'::BLOB"],
  DATE: ["'2024-02-29'", "'0044-03-15 (BC)'", "'infinity'", "'9999-12-31'"],
  TIME: ["'23:59:59.999999'", "'00:00:00'"],
  "TIME WITH TIME ZONE": ["'23:59:59.999999+05:30'"],
  TIMESTAMP: [
    "'2026-11-22 19:00:00.123456'",
    "'infinity'",
    "'-infinity'",
    "'1969-12-31 23:59:59.9'",
  ],
  TIMESTAMP_NS: ["'2026-11-22 19:00:00.123456789'"],
  TIMESTAMP_MS: ["'2026-11-22 19:00:00.123'"],
  TIMESTAMP_S: ["'2026-11-22 19:00:01'"],
  "TIMESTAMP WITH TIME ZONE": ["'2026-11-22 19:00:00.5+02'", "'infinity'"],
  INTERVAL: ["'1 year 2 months -3 days 04:05:06.000007'", "'-00:00:00.000001'"],
  UUID: ["'00112233-4455-6677-8899-aabbccddeeff'"],
  BIT: ["'0101'", "'1'"],
  "ENUM('a', 'b''c')": ["'a'", "'b''c'"],
  JSON: [`'{"a": [1, null]}'`],
};

/** Nested types travel as Parquet alone. */
const NESTED: Readonly<Record<string, readonly string[]>> = {
  "INTEGER[]": ["[]", "[1, NULL, 3]"],
  'STRUCT("a b" INTEGER, c VARCHAR[])': [
    "{'a b': 1, 'c': ['x, y', NULL]}",
    "{'a b': NULL, 'c': []}",
  ],
  "MAP(VARCHAR, DOUBLE)": ["MAP {'k': 0.1}", "MAP {}"],
  "STRUCT(x DECIMAL(10,2), y STRUCT(z TIMESTAMP))[]": ["[{'x': 1.5, 'y': {'z': '2026-01-01'}}]"],
};

async function roundTrip(engine: Engine, table: string, textBytesMax: number) {
  const folder = await Deno.makeTempDir();
  try {
    const { columns, rows, ...exported } = await exportTable(engine, table, {
      file: join(folder, "table.parquet"),
      textBytesMax,
    });
    await engine.run("DROP TABLE IF EXISTS arrived");
    await createPartialTable(engine, "arrived", columns);
    const part: Part = exported.encoding === "text"
      ? { ...exported, columns }
      : { encoding: "parquet", file: exported.file };
    assert.equal(await importPart(engine, "arrived", columns, part), rows);
    assert.deepEqual(await columnsOf(engine, "arrived"), await columnsOf(engine, table));
    const [before, after] = [
      await engine.read(`SELECT * FROM ${identifier(table)}`),
      await engine.read("SELECT * FROM arrived"),
    ];
    assert.deepEqual(after.rows, before.rows);
    return exported.encoding;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function createSample(engine: Engine, types: Readonly<Record<string, readonly string[]>>) {
  const columns = Object.entries(types);
  const rowCount = Math.max(...columns.map(([, values]) => values.length)) + 1;
  const rows = Array.from(
    { length: rowCount },
    (_, row) => columns.map(([type, values]) => `CAST(${values[row] ?? "NULL"} AS ${type})`),
  );
  const names = columns.map((_, i) => `"column ${i}"`);
  await engine.run(
    `CREATE OR REPLACE TABLE sample AS SELECT * FROM (VALUES ${
      rows.map((row) => `(${row.join(", ")})`).join(", ")
    }) AS v(${names.join(", ")})`,
  );
}

Deno.test("every scalar type comes through as text and as Parquet", async () => {
  await using engine = await Engine.open();
  await createSample(engine, VALUES);
  assert.equal(await roundTrip(engine, "sample", 64 * 1024), "text");
  assert.equal(await roundTrip(engine, "sample", 0), "parquet");
});

Deno.test("nested types come through as Parquet", async () => {
  await using engine = await Engine.open();
  await createSample(engine, NESTED);
  assert.equal(await roundTrip(engine, "sample", 64 * 1024), "parquet");
});

Deno.test("any doubles, texts and bytes come through, both ways", async () => {
  await using engine = await Engine.open();
  const row = fc.record({
    double: fc.option(fc.double()),
    text: fc.option(fc.string({ unit: "binary" })),
    bytes: fc.option(fc.uint8Array({ maxLength: 20 })),
    huge: fc.option(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n })),
  });
  const property = fc.asyncProperty(
    fc.array(row, { maxLength: 20 }),
    fc.constantFrom(0, 64 * 1024),
    async (rows, textBytesMax) => {
      await engine.run(
        "CREATE OR REPLACE TABLE sample (double DOUBLE, text VARCHAR, bytes BLOB, huge HUGEINT)",
      );
      for (const { double, text: value, bytes, huge } of rows) {
        await engine.run("INSERT INTO sample VALUES ($double::DOUBLE, $text, unhex($hex), $huge)", {
          double: double === null ? null : Object.is(double, -0) ? "-0.0" : String(double),
          text: value,
          hex: bytes?.toHex() ?? null,
          huge,
        });
      }
      await roundTrip(engine, "sample", textBytesMax);
    },
  );
  await fc.assert(property, { numRuns: times(30) });
});

Deno.test("a table without rows, and a table of NULLs, come through", async () => {
  await using engine = await Engine.open();
  await engine.run("CREATE TABLE empty (a INTEGER, b HUGEINT)");
  for (const bytesMax of [0, 1000]) await roundTrip(engine, "empty", bytesMax);
  await engine.run("INSERT INTO empty VALUES (NULL, NULL), (NULL, NULL)");
  for (const bytesMax of [0, 1000]) await roundTrip(engine, "empty", bytesMax);
});

Deno.test("text is never longer as JSON than asked", async () => {
  await using engine = await Engine.open();
  await engine.run("CREATE TABLE controls AS SELECT repeat(chr(1), 100) AS a FROM range(20)");
  assert.equal(await roundTrip(engine, "controls", 3_000), "parquet");
  assert.equal(await roundTrip(engine, "controls", 20_000), "text");
});

Deno.test("a part that is not what was asked for is refused, and leaves no row", async () => {
  await using engine = await Engine.open();
  const columns = [{ name: "a", type: "INTEGER" }, { name: "b", type: "VARCHAR" }];
  await createPartialTable(engine, "p", columns);
  const folder = await Deno.makeTempDir();
  const copy = async (name: string, sql: string) => {
    const file = join(folder, name);
    await engine.run(`COPY (${sql}) TO ${text(file)} (FORMAT parquet)`);
    return { encoding: "parquet" as const, file };
  };
  const broken = join(folder, "broken.parquet");
  await Deno.writeTextFile(broken, "PAR1 nothing PAR1");
  const parts: Part[] = [
    { encoding: "text", columns: [{ name: "a", type: "INTEGER" }], values: [["1"]] },
    { encoding: "text", columns, values: [["1"]] },
    { encoding: "text", columns, values: [["1", "2"], ["x"]] },
    { encoding: "text", columns, values: [["1", "no number"], ["x", "y"]] },
    { encoding: "text", columns: [...columns].reverse(), values: [["x"], ["1"]] },
    await copy("types.parquet", "SELECT 1::BIGINT AS a, 'x' AS b"),
    await copy("names.parquet", "SELECT 1 AS b, 'x' AS a"),
    await copy("more.parquet", "SELECT 1 AS a, 'x' AS b, 2 AS c"),
    { encoding: "parquet", file: broken },
    { encoding: "parquet", file: join(folder, "absent.parquet") },
  ];
  for (const part of parts) {
    await assert.rejects(
      importPart(engine, "p", columns, part),
      (error) => error instanceof LogvendError && error.code === "usage",
      JSON.stringify(part),
    );
  }
  const { rows } = await engine.read("SELECT count(*) FROM p");
  assert.equal(rows[0]?.[0], 0n);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a type that cannot leave the process is refused with what to do", async () => {
  await using engine = await Engine.open();
  await engine.run("CREATE TABLE u AS SELECT union_value(a := 1) AS x");
  await assert.rejects(exportTable(engine, "u", { file: "unused" }), /cast it to VARCHAR/);
});

Deno.test("a value of the asker's own that is not of its type is named with its row and column", async () => {
  await using engine = await Engine.open();
  const columns = [{ name: "login", type: "VARCHAR" }, { name: "weight", type: "INTEGER" }];
  const values = [["anna", null, "bob"], ["1", null, "two"]];
  await assert.rejects(createBroadcastTable(engine, { name: "users", columns, values }), {
    code: "usage",
    message: '--with users: row 3 has "two" in the column weight of type INTEGER',
  });
});
