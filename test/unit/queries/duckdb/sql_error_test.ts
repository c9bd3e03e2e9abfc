import assert from "node:assert/strict";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { sqlError } from "../../../../queries/duckdb/sql_error.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const MIB = 2 ** 20;
const SORTED = "SELECT i, hash(i) AS h FROM range(4_000_000) t(i) ORDER BY h";
const ADVICE = "ask for less at once, by a shorter range, fewer columns or groups, or a LIMIT";

async function errorOf(engine: Engine, sql: string): Promise<Error> {
  const thrown = await engine.read(sql).catch((cause: unknown) => sqlError(cause));
  if (!(thrown instanceof Error)) throw new Error("it ran to its end");
  return thrown;
}

Deno.test("what takes too much memory is told to ask for less, in one line, and of no settings", async () => {
  await using engine = await Engine.open({ memoryBytes: 32 * MIB });
  const { message } = await errorOf(engine, SORTED);
  assert.match(message, /^It takes more memory than one query may have \(.*MiB used\)\): /);
  assert.ok(message.endsWith(ADVICE) && !message.includes("\n"), message);
});

Deno.test("so is what finds no room on the disk for the rest", async () => {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open({ memoryBytes: 32 * MIB, spillFolder: folder.path });
  await engine.run("SET max_temp_directory_size = '4MiB'");
  const { message } = await errorOf(engine, SORTED);
  assert.match(message, /^It takes more than its memory, and more than the disk has room for \(/);
  assert.ok(message.endsWith(ADVICE) && !message.includes("\n"), message);
});

Deno.test("other errors keep DuckDB's words", async () => {
  await using engine = await Engine.open();
  const { message } = await errorOf(engine, "SELECT 'x'::INTEGER");
  assert.equal(message, "Conversion Error: Could not convert string 'x' to INT32");
});
