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
  const small = await folder.write("small.csv", "a\n1\n");
  const { code, stderr } = await fleet.cli("query", "FROM logs", "--with", `logs=${small}`);
  assert.deepEqual([code, /--with logs: that name is taken/.test(stderr)], [64, true], stderr);
  const other = await fleet.cli("query", "FROM u", "--with", `t=${small}`);
  assert.equal(other.code, 64);
  assert.match(other.stderr, /There is no table "u"; there are .*t/);
}
