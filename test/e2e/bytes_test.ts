/** What answers cost on the wire: hosts send groups, not rows. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { Observer } from "../harness/observer.ts";

const LINES = 5_000;
/** Of one host's answer beside its groups. */
const FRAME_BYTES_MAX = 600;
const GROUP_BYTES_RATIO_MAX = 1.2;

Deno.test("an aggregate costs its groups and little more at the broker, whatever the rows", async () => {
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
  await using observer = await Observer.of(fleet.brokerUrl);
  for (
    const sql of [
      "SELECT count(*) FROM logs",
      "SELECT status, count(*) AS n FROM logs GROUP BY 1",
      "SELECT remote_addr, count(*), avg(body_bytes_sent) FROM logs WHERE status = 404 GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    ]
  ) {
    const { answer } = await fleet.query(sql);
    const { bytes, valueBytes } = await observer.ended(answer.query_id, 2);
    const allowed = 2 * FRAME_BYTES_MAX + GROUP_BYTES_RATIO_MAX * valueBytes;
    assert.ok(bytes <= allowed, `${bytes} bytes, ${allowed} allowed: ${sql}`);
    assert.equal(answer.coverage.answered, 2);
  }
});
