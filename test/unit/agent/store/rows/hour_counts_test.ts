/** Hours of rows, and where in them there are some. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { HourCounts, stretchesOf } from "../../../../../agent/store/rows/hour_counts.ts";

const HOUR_US = 3_600_000_000;
const SECOND_US = 1_000_000;

Deno.test("stretches hold every row, none reaches into another hour, and gaps are left out", () => {
  const property = fc.property(
    fc.array(fc.integer({ min: -2 * HOUR_US, max: 2 * HOUR_US }), { minLength: 1 }),
    (times) => {
      const counts = new HourCounts();
      for (const tsUs of times) counts.add(tsUs);
      assert.equal(counts.entries().reduce((sum, { rows }) => sum + rows, 0), times.length);
      for (const hour of counts.entries()) {
        const own = times.filter((tsUs) => Math.floor(tsUs / HOUR_US) === hour.index);
        const stretches = stretchesOf(hour);
        for (const [i, { fromUs, toUs }] of stretches.entries()) {
          const within = own.filter((tsUs) => tsUs >= fromUs && tsUs <= toUs);
          assert.ok(within.length > 0);
          assert.ok(
            Math.min(...within) - fromUs < SECOND_US && toUs - Math.max(...within) < SECOND_US,
          );
          assert.ok(fromUs - (stretches[i - 1]?.toUs ?? -Infinity) > 10 * SECOND_US);
          own.splice(0, own.length, ...own.filter((tsUs) => !within.includes(tsUs)));
        }
        assert.deepEqual(own, []);
      }
    },
  );
  fc.assert(property);
});
