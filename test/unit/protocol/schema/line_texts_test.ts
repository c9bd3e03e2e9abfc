/** line_texts.ts: what columns tell of a line's texts is so, however it is made of them. */
import assert from "node:assert/strict";
import { layoutText } from "../../../../protocol/schema/layout.ts";
import { tellingOf, testedLine } from "../../../../protocol/schema/line_texts.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../../../protocol/schema/streams.ts";
import type { StreamShape } from "../../../../protocol/schema/stream_shape.ts";
import { emptySelect, literal, logicalColumns } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { Dice } from "../../queries/random_query.ts";

const KINDS: readonly (readonly [string, string])[] = [
  ["word", "text"],
  ["word", "json"],
  ["number", "whole"],
  ["real", "decimal"],
  ["real", "fixed3"],
  ["flag", "flag"],
  ["took", "seconds"],
  ["ts", "nginx"],
  ["ts", "iso3TZ"],
  ["ts", "iso0 +0000"],
  ["ts", "iso6t+00:00"],
  ["ts", "epoch"],
  ["ts", "epoch3"],
  ["ts", "epoch6"],
  ["ts", "epoch_ms"],
  ["ts", "bsd"],
  ["ts", "bsd0"],
];

const SHAPE: StreamShape = {
  access: true,
  fields: [
    { name: "word", type: "VARCHAR" },
    { name: "number", type: "VARCHAR" }, // it was one once
    { name: "real", type: "DOUBLE" },
    { name: "flag", type: "BOOLEAN" },
    { name: "took", type: "INTEGER" },
  ],
  layouts: KINDS.map(([name, kind]) => layoutText(["<", [name, kind], "> ", ["word", "text"]])),
};
const NAMED = ["common", "combined", "combined_time", "json"];

/** Rows of every layout, and some whose line is kept. */
const ROWS = `SELECT * REPLACE (
    if(layout = 'json', 0, time_zone_min)::SMALLINT AS time_zone_min,
    CASE WHEN i % 50 = 0 THEN concat('kept as it was ', i) END AS line_text,
    CASE WHEN layout = ${literal(SHAPE.layouts[2] ?? "")} THEN (i * 7)::VARCHAR
      ELSE concat('n', i) END AS number)
  FROM (SELECT
    TIMESTAMP '2026-01-09 05:30:07.123456' + to_seconds(i * 86477) + to_microseconds(i * 97) AS ts,
    concat('10.0.0.', i % 250) AS remote_addr, if(i % 3 = 0, '-', 'ann') AS remote_user,
    'GET' AS http_method, concat('/item/', i * 31, '?q=blue') AS request, 'HTTP/1.1' AS http_version,
    (200 + i % 5)::INTEGER AS status, if(i % 4 = 0, NULL, i * 13)::BIGINT AS body_bytes_sent,
    '-' AS http_referer, 'Mozilla/5.0 (X11)' AS http_user_agent, (i * 37)::INTEGER AS request_time_ms,
    concat('a', chr(10), 'b"', i, 'é', i) AS word, '' AS number, i / 7.0::DOUBLE * pow(10, i % 25) AS real,
    i % 2 = 0 AS flag, (i * 11)::INTEGER AS took, ((i % 9) * 90 - 330)::SMALLINT AS time_zone_min,
    [${[...NAMED, ...SHAPE.layouts].map(literal).join(", ")}][1 + i % ${
  NAMED.length + SHAPE.layouts.length
}] AS layout,
    NULL::VARCHAR AS line_text, i
  FROM range(2000) AS r(i))`;

const TESTS = 400;

Deno.test("what columns tell of a text in lines is so", async () => {
  await using engine = await linesOf(SHAPE);
  const { rows } = await engine.read("SELECT line FROM lines ORDER BY i");
  const dice = new Dice(1);
  const told = { surely: 0, perhaps: 0 };
  for (let i = 0; i < TESTS; i++) {
    const text = stretchOf(dice, String(dice.pick(rows)[0]));
    const telling = tellingOf(SHAPE, text);
    if (telling === null) continue;
    const { surely, perhaps } = telling;
    if (surely !== null) told.surely++;
    told.perhaps++;
    const wrong = await engine.read(
      `SELECT line FROM lines WHERE line_text IS NULL AND CASE WHEN ${surely ?? "false"}
         THEN NOT contains(line, $text) WHEN ${perhaps ?? "false"} THEN false
         ELSE contains(line, $text) END LIMIT 1`,
      { text },
    );
    assert.deepEqual(wrong.rows, [], `${text}: ${surely} / ${perhaps}`);
  }
  assert.ok(told.surely > TESTS / 10 && told.perhaps > TESTS / 4, JSON.stringify(told));
});

Deno.test("lines that are told of by their columns pass the same conditions", async () => {
  await using engine = await linesOf(SHAPE);
  const { rows } = await engine.read("SELECT line FROM lines ORDER BY i");
  const dice = new Dice(2);
  for (let i = 0; i < TESTS / 10; i++) {
    const texts = Array.from(
      { length: 1 + dice.integer(2) },
      () => stretchOf(dice, String(dice.pick(rows)[0])),
    );
    for (const suffice of [false, true]) {
      const lineSql = testedLine(SHAPE, { texts, suffice });
      if (lineSql === null) continue;
      const both = (line: string) =>
        texts.map((text) => `coalesce(contains(${line}, ${literal(text)}), false)`).join(" AND ");
      const wrong = await engine.read(
        `SELECT line FROM lines WHERE (${both("line")}) <> (${
          both(`(${lineSql("line")})`)
        }) LIMIT 1`,
      );
      assert.deepEqual(wrong.rows, [], `${texts}`);
    }
  }
});

Deno.test("texts that no line has are found in none", async () => {
  await using engine = await linesOf(SHAPE);
  for (const text of ["zzz", "Firefox", "4040404", "/item/none", "10.0.0.999"]) {
    const { surely, perhaps } = tellingOf(SHAPE, text) ?? {};
    const held = await engine.read(
      `SELECT count(*) FROM lines WHERE ${[surely ?? "false", perhaps ?? "false"].join(" OR ")}`,
    );
    assert.equal(held.rows[0]?.[0], 0n, text);
  }
});

Deno.test("texts that may stand in or across the texts between values are not told of", () => {
  assert.equal(tellingOf(SHAPE, "agent"), null); // a name in JSON
  assert.equal(tellingOf(SHAPE, "17"), null); // every time has such numbers
  assert.equal(tellingOf(SHAPE, "[1"), null);
  assert.equal(tellingOf(SHAPE, "a\0b"), null);
  const shapeOf = (...pieces: Parameters<typeof layoutText>[0]): StreamShape => ({
    access: false,
    fields: [],
    layouts: [layoutText(pieces)],
  });
  assert.equal(tellingOf(shapeOf("x", ["word", "text"]), "xyz")?.surely ?? null, null);
  assert.equal(tellingOf(shapeOf(["word", "text"], ["more", "text"]), "xyz"), null);
  assert.notEqual(tellingOf(shapeOf("x ", ["word", "text"]), "xyz")?.surely ?? null, null);
});

Deno.test("of a text over several values those parts are looked for that say most", () => {
  const sqlOf = (text: string) => {
    const { surely = null, perhaps = "" } = tellingOf(ACCESS_SHAPE, text) ?? {};
    assert.equal(surely, null);
    return perhaps ?? "";
  };
  assert.match(sqlOf('GET /images/1" 404 20'), /'\/images\/1'.*'GET'.*'404'/s);
  assert.doesNotMatch(sqlOf('" 404 20'), /'20'/);
  assert.notEqual(tellingOf(ACCESS_SHAPE, "https://shop.example/a")?.surely, null);
});

/** A table of lines as they are built. */
async function linesOf(shape: StreamShape): Promise<Engine> {
  const schema = streamSchema(shape);
  const engine = await Engine.open();
  await engine.run(
    `CREATE TABLE rows AS ${emptySelect(schema.physical)} UNION ALL BY NAME (${ROWS})`,
  );
  const line = schema.logical.filter(({ name }) => name === "line");
  await engine.run(
    `CREATE TABLE lines AS SELECT *, ${logicalColumns(schema, "r", line)} FROM rows`,
  );
  const { rows } = await engine.read("SELECT count(*) FROM lines WHERE line IS NULL");
  assert.equal(rows[0]?.[0], 0n);
  return engine;
}

/** A word of a line, or any stretch of it. */
function stretchOf(dice: Dice, line: string): string {
  const words = line.match(/[A-Za-z0-9]{2,}|[^ "]{3,}/g) ?? [];
  const from = dice.integer(line.length - 8);
  return dice.chance(0.5) ? dice.pick(words) : line.slice(from, from + 2 + dice.integer(12));
}
