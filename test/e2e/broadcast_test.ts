/** `--with`: the asker's own tables, joined where the logs are. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const LINES = 300;

Deno.test("a file of the asker's is a table on every host, and its groups alone travel", async () => {
  await using folder = await TempFolder.make();
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu", "web-2": "us" },
    broker: "embedded",
  });
  for (const host of ["web-1", "web-2"]) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, LINES));
  }
  await eventually(async () =>
    (await fleet.query("SELECT count(*)::INT AS n FROM logs")).answer.rows[0]?.n === 2 * LINES
  );
  const { answer: plain } = await fleet.query(
    `SELECT coalesce(meaning, 'other') AS meaning, count(*)::INT AS n
     FROM logs LEFT JOIN (VALUES (200, 'fine'), (404, 'lost')) c(code, meaning) ON status = code
     GROUP BY 1 ORDER BY 1`,
  );
  const codes = await folder.write("codes.csv", "code,meaning\n200,fine\n404,lost\n");
  const sql = `SELECT coalesce(meaning, 'other') AS meaning, count(*)::INT AS n
    FROM logs LEFT JOIN codes ON status = code GROUP BY 1 ORDER BY 1`;
  const given = await fleet.query(sql, "--with", `codes=${codes}`);
  assert.deepEqual(given.answer.rows, plain.rows);
  assert.deepEqual([plain.mode, given.answer.mode, given.code], ["rows", "aggregate", 0]);
  const json = await folder.write("names.jsonl", '{"region":"eu","name":"Europe"}\n');
  const two = await fleet.query(
    `SELECT name, meaning, count(*)::INT AS n FROM logs JOIN names USING (region)
     JOIN codes ON status = code GROUP BY ALL ORDER BY ALL LIMIT 1`,
    ...["--with", `codes=${codes}`, "--with", `names=${json}`],
  );
  assert.deepEqual(two.answer.rows.map(({ name, meaning }) => [name, meaning]), [[
    "Europe",
    "fine",
  ]]);
  const rows = await fleet.query(
    `SELECT login FROM users WHERE login NOT IN (SELECT remote_user FROM logs
       WHERE remote_user IS NOT NULL) ORDER BY 1`,
    ...["--with", `users=${await folder.write("u.tsv", "login\tid\nzoe\t1\nyan\t2\n")}`],
  );
  assert.deepEqual(rows.answer.rows, [{ login: "yan" }, { login: "zoe" }]);
  await refused(fleet, folder);
});

async function refused(fleet: TestFleet, folder: TempFolder) {
  const refusal = async (sql: string, given: string, why: RegExp) => {
    const { code, stderr } = await fleet.cli("query", sql, "--with", given);
    assert.equal(code, 64, stderr);
    assert.match(stderr, why);
  };
  const small = await folder.write("small.csv", "a\n1\n");
  await refusal("SELECT * FROM t", `t=${folder.join("none.csv")}`, /none\.csv: no such file/);
  await refusal("SELECT * FROM t", small, /wanted NAME=FILE, e\.g\. users=users\.csv/);
  await refusal("SELECT * FROM t", `T-1=${small}`, /wanted NAME=FILE/);
  const text = await folder.write("t.txt", "a\n");
  await refusal("SELECT * FROM t", `t=${text}`, /wanted a file that ends in \.csv, \.tsv/);
  await refusal("SELECT * FROM logs", `logs=${small}`, /--with logs: that name is taken/);
  await refusal("SELECT * FROM u", `t=${small}`, /There is no table "u"; there are .*t/);
  const nested = await folder.write("n.json", '[{"a":{"b":1}}]');
  await refusal("SELECT * FROM t", `t=${nested}`, /column a is a STRUCT.*only plain values/);
  const ids = Array.from({ length: 20_000 }, () => crypto.randomUUID()).join("\n");
  const large = await folder.write("large.csv", `id\n${ids}\n`);
  await refusal("SELECT * FROM t", `t=${large}`, /packed .*at most: leave out rows and columns/);
}
