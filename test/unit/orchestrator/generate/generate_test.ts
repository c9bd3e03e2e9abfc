import assert from "node:assert/strict";
import { generateTo } from "../../../../orchestrator/generate/generate.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

async function linesOf(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path);
  assert(text === "" || text.endsWith("\n"), "lines are written whole");
  return text.split("\n").slice(0, -1);
}

Deno.test("generateTo() writes its backlog into the past hours and ends at rate 0", async () => {
  await using folder = await TempFolder.make();
  const file = folder.join("deep", "access.log");
  const before = Date.now();
  const { lines } = await generateTo({
    file,
    ratePerSecond: 0,
    format: "json",
    seed: 3,
    backlog: { lines: 5_000, hours: 6 },
    signal: new AbortController().signal,
  });
  assert.equal(lines, 5_000);
  const times = (await linesOf(file)).map((line) => Date.parse(`${JSON.parse(line).time_local}Z`));
  assert.equal(times.length, 5_000);
  assert(times.every((time) => time >= before - 6 * 3_600_000 - 1_000 && time <= Date.now()));
});

Deno.test("generateTo() follows its path when the file is renamed away", async () => {
  await using folder = await TempFolder.make();
  const file = folder.join("access.log");
  const abort = new AbortController();
  const running = generateTo({
    file,
    ratePerSecond: 500,
    format: "combined_time",
    seed: 3,
    signal: abort.signal,
  });
  const size = async () => (await Deno.stat(file)).size > 0;
  await eventually(size);
  await Deno.rename(file, `${file}.1`);
  await eventually(size);
  abort.abort();
  const { lines } = await running;
  const old = await linesOf(`${file}.1`);
  const now = await linesOf(file);
  assert.equal(old.length + now.length, lines);
  assert(now.length > 0 && old.length > 0);
});
