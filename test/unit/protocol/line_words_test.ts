/** line_words.ts: no line is missed that has the word, however it is made of its columns. */
import assert from "node:assert/strict";
import { layoutText } from "../../../protocol/layout.ts";
import { holdsWord, tellingWord } from "../../../protocol/line_words.ts";
import { streamSchema } from "../../../protocol/streams.ts";
import type { StreamShape } from "../../../protocol/stream_shape.ts";
import { emptySelect, literal, logicalColumns } from "../../../protocol/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { Dice } from "../queries/random_query.ts";

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

Deno.test("whatever word a line has, its columns hold it", async () => {
  const schema = streamSchema(SHAPE);
  await using engine = await Engine.open();
  await engine.run(
    `CREATE TABLE rows AS ${emptySelect(schema.physical)} UNION ALL BY NAME (${ROWS})`,
  );
  const line = schema.logical.filter(({ name }) => name === "line");
  await engine.run(`CREATE TABLE lines AS
    SELECT *, ${logicalColumns(schema, "r", line)} FROM rows`);
  assert.equal(
    (await engine.read("SELECT count(*) FROM lines WHERE line IS NULL")).rows[0]?.[0],
    0n,
  );
  const { rows } = await engine.read(
    "SELECT DISTINCT unnest(regexp_extract_all(line, '[A-Za-z0-9]{2,}')) AS w FROM lines ORDER BY 1",
  );
  const dice = new Dice(1);
  let told = 0;
  for (let i = 0; i < 400; i++) {
    const whole = String(dice.pick(rows)[0]);
    const from = dice.chance(0.5) ? 0 : dice.integer(whole.length - 2);
    const word = dice.chance(0.5) ? whole : whole.slice(from, from + 2 + dice.integer(4));
    const condition = holdsWord(SHAPE, word);
    if (condition === null) continue;
    told++;
    const missed = await engine.read(
      `SELECT line FROM lines WHERE contains(line, '${word}') AND (${condition}) IS NOT TRUE LIMIT 1`,
    );
    assert.deepEqual(missed.rows, [], `${word}: ${condition}`);
  }
  assert.ok(told > 200, `${told}`);
  for (const word of ["zzz", "Firefox", "4040404"]) {
    const held = await engine.read(`SELECT count(*) FROM lines WHERE ${holdsWord(SHAPE, word)}`);
    assert.equal(held.rows[0]?.[0], 0n, word);
  }
});

Deno.test("words that may stand in or across the texts between values are not looked for", () => {
  assert.equal(holdsWord(SHAPE, "agent"), null); // a name in JSON
  assert.equal(holdsWord(SHAPE, "17"), null); // every time has such numbers
  assert.equal(holdsWord(SHAPE, "a b"), null);
  const shapeOf = (...pieces: Parameters<typeof layoutText>[0]): StreamShape => ({
    access: false,
    fields: [],
    layouts: [layoutText(pieces)],
  });
  assert.equal(holdsWord(shapeOf("x", ["word", "text"]), "xyz"), null);
  assert.equal(holdsWord(shapeOf(["word", "text"], ["more", "text"]), "xyz"), null);
  assert.notEqual(holdsWord(shapeOf("x ", ["word", "text"]), "xyz"), null);
});

Deno.test("the word that says most has letters, and then is the longest", () => {
  assert.equal(tellingWord(" 404 12345 ab /"), "ab");
  assert.equal(tellingWord('" 404 20'), "404");
  assert.equal(tellingWord(" / é"), null);
});
