import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ourProgram, runProgram } from "../harness/program.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const attempt = (...args: string[]) =>
  runProgram({ args: ourProgram("agent/main.ts", "try", ...args) });

Deno.test("try says the format, shows rows and rejects, and gives YAML that the agent accepts", async () => {
  await using folder = await TempFolder.make();
  const log = await folder.write("access.log", `${manyLines(combinedLine, 0, 5)}no \x1b[31mlog\n`);
  const { code, stdout } = await attempt(log);
  assert.equal(code, 0);
  assert.match(stdout, /format combined, 5 of 6 lines; 1 cannot be read:/);
  assert.match(stdout, /line 6, no_format: no \\u001b\[31mlog/);
  assert.match(stdout, /\/item\/2.*\n\(3 rows\)/);
  const yaml = stdout.slice(stdout.indexOf("streams:"));
  const config = await folder.write("agent.yaml", `data_dir: ./data\n${yaml}`);
  const args = ourProgram("agent/main.ts", "validate", "-c", config);
  const validated = await runProgram({ args });
  assert.equal(validated.code, 0, validated.stderr);
  assert.match(validated.stdout, /stream logs: 1 file now/);
});

Deno.test("try reads packed logs, and the start of long ones", async () => {
  await using folder = await TempFolder.make();
  const text = manyLines(combinedLine, 0, 20_000);
  const packed = gzipSync(text);
  const log = await folder.write("access.log.gz", packed);
  const { stdout } = await attempt(log, "-o", "json");
  const found = JSON.parse(stdout);
  assert.equal(found.format, "combined");
  assert.equal(found.rows, found.lines);
  assert(found.lines > 1_000 && found.lines < 20_000);
  assert.equal(found.first_rows[0].request, "/item/0");
});

Deno.test("a log that no format reads is exit 1, and one that cannot be opened says why", async () => {
  await using folder = await TempFolder.make();
  const odd = await attempt(await folder.write("odd.log", "a\nb\n"));
  assert.equal(odd.code, 1);
  assert.match(odd.stdout, /no format reads any of 2 lines\n {2}line 1, no_format: a/);
  const empty = await attempt(await folder.write("empty.log", ""));
  assert.equal(empty.code, 64);
  assert.match(empty.stderr, /holds no line yet/);
  const missing = await attempt(folder.join("none.log"));
  assert.equal(missing.code, 64);
  assert.match(missing.stderr, /no such file/);
});
