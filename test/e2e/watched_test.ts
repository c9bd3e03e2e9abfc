/** A question that comes again costs each host what is new, and the answer says so. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";

const SQL =
  "SELECT region, count(*)::INT AS errors FROM logs WHERE status >= 500 GROUP BY 1 ORDER BY 1";

Deno.test("errors by region, again and again, are read of new lines only", async () => {
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu", "web-2": "us" },
    broker: "embedded",
  });
  const write = (first: number, count: number) =>
    Promise.all(
      ["web-1", "web-2"].map((host) =>
        Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, first, count), {
          append: true,
        })
      ),
    );
  await write(0, 1_000);
  await eventually(async () => {
    const { answer } = await fleet.query(SQL);
    assert.deepEqual(answer.rows, [{ region: "eu", errors: 100 }, { region: "us", errors: 100 }]);
    return answer.coverage.rows_known === 2_000;
  });
  await write(1_000, 200);
  await eventually(async () => {
    const { answer } = await fleet.query(SQL);
    assert.deepEqual(answer.rows, [{ region: "eu", errors: 120 }, { region: "us", errors: 120 }]);
    assert.equal(answer.coverage.rows_scanned, 2_400);
    return (answer.coverage.rows_known ?? 0) >= 2_000;
  });
});
