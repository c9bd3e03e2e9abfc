import assert from "node:assert/strict";
import {
  ArchivedHours,
  dayCounts,
  dayMsOf,
  endOf,
  hoursOf,
  lastHour,
} from "../../../../protocol/archive/archived_hours.ts";

const ANY = { sinceMs: null, untilMs: null };
const at = (day: string, hour: number) => dayMsOf(day) + hour * 3_600_000;

Deno.test("days become runs of like hours, over midnight too, cut to the range", () => {
  const hours = new ArchivedHours();
  const of = (date: string) => ({ host: "a", stream: "logs", dayMs: dayMsOf(date) });
  const late = dayCounts(Array.from({ length: 24 }, (_, hour) => hour >= 22 ? 1 : undefined));
  const early = dayCounts([1, 1, 3, 0, 1]);
  hours.add(of("2026-11-23"), early, ANY);
  hours.add(of("2026-11-22"), late, ANY);
  const run = (fromMs: number, count: number, chunks: number) => {
    return { host: "a", stream: "logs", fromMs, hours: count, chunks };
  };
  const runs = hours.runs();
  assert.deepEqual(runs, [
    run(at("2026-11-22", 22), 4, 1),
    run(at("2026-11-23", 2), 1, 3),
    run(at("2026-11-23", 4), 1, 1),
  ]);
  assert.equal(endOf(runs), at("2026-11-23", 5));
  assert.deepEqual(hoursOf(runs.slice(1)).map(({ hour }) => hour.slice(8)), [
    ...Array(3).fill("23T02"),
    "23T04",
  ]);
  const cut = new ArchivedHours();
  const range = { sinceMs: at("2026-11-22", 23) + 1, untilMs: at("2026-11-23", 2) };
  cut.add(of("2026-11-22"), late, range);
  cut.add(of("2026-11-23"), early, range);
  assert.deepEqual(cut.runs(), [run(at("2026-11-22", 23), 3, 1)]);
  const none = new ArchivedHours();
  none.add(of("2026-11-22"), late, { sinceMs: null, untilMs: at("2026-11-22", 22) });
  assert.deepEqual([none.runs(), endOf([])], [[], null]);
});

Deno.test("a day is a digit for each hour, up to 35 chunks", () => {
  assert.equal(dayCounts([36, 1]), `z1${"0".repeat(22)}`);
  assert.equal(lastHour(dayCounts([0, 0, 2])), 2);
  assert.equal(lastHour(dayCounts([])), null);
});
