import assert from "node:assert/strict";
import { measureLog, measureStore } from "../../../../orchestrator/demo/proof.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const NOW_MS = Date.parse("2026-11-22T19:30:00Z");

/** A part of 10 bytes of an hour of that day. */
function part(folder: TempFolder, hour: number, name = "p1"): Promise<string> {
  return folder.write(`parts/logs/2026-11-22T${hour}.${name}.parquet`, "0123456789");
}

/** A chunk of 5 bytes, likewise. */
function chunk(folder: TempFolder, hour: number): Promise<string> {
  const place = `stream=logs/region=eu-west-1/date=2026-11-22/hour=${hour}`;
  return folder.write(`${place}/web-1.0123456789abcdef.parquet`, "01234");
}

Deno.test("lines are counted as wc -l counts them", async () => {
  await using folder = await TempFolder.make();
  const path = await folder.write("access.log", `${"one line\n".repeat(50_000)}half a line`);
  assert.deepEqual(await measureLog(path), { lines: 50_000, bytes: 450_011 });
});

Deno.test("hours that are over and have parts alone are waited for, others are not", async () => {
  await using folder = await TempFolder.make();
  const check = async (bytes: number, unsealedHours: number) =>
    assert.deepEqual(await measureStore(folder.path, NOW_MS), { bytes, unsealedHours });
  await check(0, 0);
  await part(folder, 19); // the hour that is open
  await check(10, 0);
  await part(folder, 18);
  await part(folder, 18, "p2");
  await part(folder, 17);
  await check(40, 2);
  await chunk(folder, 18); // its parts came late, or are about to go
  await check(45, 1);
  await chunk(folder, 16);
  await check(50, 1);
});

Deno.test("files that are being written do not count", async () => {
  await using folder = await TempFolder.make();
  await folder.write("parts/logs/.writing-0a1b2c3d-2026-11-22T18.p1.parquet", "half");
  const place = "stream=logs/region=eu-west-1/date=2026-11-22/hour=18";
  await folder.write(`${place}/.writing-0a1b2c3d-web-1.0123456789abcdef.parquet`, "half");
  await folder.write("open/now.1.parquet", "newest rows, for a query");
  await folder.write("agent.db", "no Parquet");
  assert.deepEqual(await measureStore(folder.path, NOW_MS), { bytes: 0, unsealedHours: 0 });
});

Deno.test("a store is measured while its files come and go", async () => {
  await using folder = await TempFolder.make();
  let measured = 0;
  const measuring = (async () => {
    while (measured < 50) {
      const { bytes } = await measureStore(folder.path, NOW_MS);
      assert.equal(bytes % 5, 0);
      measured++;
    }
  })();
  for (let i = 0; measured < 50; i++) {
    const hour = 10 + i % 8;
    const written = [await part(folder, hour), await chunk(folder, hour)];
    for (const path of written) await Deno.remove(path);
  }
  await measuring;
});
