/** cli/question.ts: flags become what is signed. */
import assert from "node:assert/strict";
import { createKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { signedQuestion } from "../../../../orchestrator/cli/question.ts";
import type { QuestionOptions } from "../../../../orchestrator/cli/question.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { matches, parseSelector } from "../../../../protocol/selector/selector.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const NOW_MS = Date.parse("2026-11-22T10:00:00Z");

async function sign(options: Partial<QuestionOptions>, sql: string | undefined = "SELECT 1") {
  await using folder = await TempFolder.make();
  const key = folder.join("key");
  await createKeyFile(key);
  return await signedQuestion(sql, { timeout: "30s", key, ...options }, NOW_MS);
}

Deno.test("without flags every host is asked about 24 h, within the default limits", async () => {
  const { claims } = await sign({});
  assert.equal(claims.selector, "");
  assert.deepEqual(claims.range, { since: "2026-11-21T10:00:00.000Z", until: null, implied: true });
  assert.deepEqual(claims.limits, { timeout_ms: 30_000, rows_max: 100_000, bytes_max: 64e6 });
});

Deno.test("--on, --host and --region must all match", async () => {
  const { claims } = await sign({ on: "a = 1 or a = 2", host: "web-1, web-2", region: "eu" });
  const selector = parseSelector(claims.selector);
  const labels = { a: "1", host: "web-2", region: "eu" };
  assert.ok(matches(selector, labels));
  assert.ok(!matches(selector, { ...labels, region: "us" }));
  assert.ok(!matches(selector, { ...labels, host: "web-3" }));
  assert.ok(!matches(selector, { ...labels, a: "3" }));
});

Deno.test("--max-bytes alone lifts the limit of rows", async () => {
  const limits = async (options: Partial<QuestionOptions>) => (await sign(options)).claims.limits;
  const lifted = await limits({ maxBytes: "2GB" });
  assert.deepEqual([lifted.rows_max, lifted.bytes_max], [100_000_000, 2e9]);
  const both = await limits({ maxBytes: "2GB", maxRows: "5" });
  assert.deepEqual([both.rows_max, both.bytes_max], [5, 2e9]);
});

Deno.test("SQL comes from a file as it is", async () => {
  await using folder = await TempFolder.make();
  const file = await folder.write("q.sql", "SELECT 1\n");
  const key = folder.join("key");
  await createKeyFile(key);
  const { sql } = await signedQuestion(undefined, { timeout: "1s", file, key }, NOW_MS);
  assert.equal(sql, "SELECT 1\n");
});

Deno.test("flags that say nothing sensible are named", async () => {
  const check = (options: Partial<QuestionOptions>, pattern: RegExp) =>
    assert.rejects(
      sign(options),
      (error) =>
        error instanceof LogvendError && error.exitCode === 64 && pattern.test(error.message),
    );
  await check({ timeout: "soon" }, /^--timeout soon: wanted a duration, e.g. 250ms, 30s, 5m$/);
  await check({ timeout: "0s" }, /^--timeout: wanted more than 0, 1h at most$/);
  await check({ timeout: "61m" }, /^--timeout: wanted more than 0, 1h at most$/);
  await check({ maxBytes: "1PB" }, /^--max-bytes 1PB: wanted a size, e.g. 512KiB, 64MB, 2GB$/);
  await check({ maxBytes: "2TB" }, /^--max-bytes: wanted more than 0, 1TB at most$/);
  await check({ maxRows: "0" }, /^--max-rows: wanted more than 0, 100000000 at most$/);
  await check({ since: "0m" }, /^--since 0m: wanted a time in the past/);
  await check({ maxRows: "many" }, /--max-rows many: wanted a number/);
  await check({ host: " , " }, /--host: wanted names/);
  await check({ on: "region =" }, /./);
  await check({ file: "q.sql" }, /as an argument or with -f, not both/);
  await check({ key: "/nowhere/key" }, /^Cannot read the key \/nowhere\/key: no such file$/);
});
