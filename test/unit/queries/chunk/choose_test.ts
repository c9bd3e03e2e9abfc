/** choose.ts: which texts can be looked for in what a file has stored. */
import assert from "node:assert/strict";
import { chooseRowGroups, storedValues } from "../../../../queries/chunk/choose.ts";
import { withoutRefused } from "../../../../queries/chunk/bloom_filter.ts";
import type { RowGroup } from "../../../../queries/chunk/footer.ts";

const COLUMNS = [
  { name: "ts", type: "TIMESTAMP" },
  { name: "host", type: "VARCHAR" },
  { name: "user", type: "VARCHAR" },
  { name: "code", type: "BIGINT" },
];

Deno.test("texts are looked for where they are stored as they are shown, and nowhere else", () => {
  const check = (values: Record<string, string[]>, expected: string[]) => {
    const stored = storedValues({ columns: COLUMNS }, values);
    assert.deepEqual(Object.keys(stored), expected, JSON.stringify(values));
  };
  check({ user: ["anna"], host: ["web-1"] }, ["user", "host"]);
  check({ user: ["10.0.0.7", "2001:db8::1", "v5.10", "-", "e3", "5_0", ""] }, ["user"]);
  for (const number of ["5.10", "-0", "010", "1e3", "1E-3", "+5", "NaN", "-inf", "Infinity"]) {
    check({ user: ["anna", number] }, []);
  }
  check({ host: ["5.10"] }, ["host"]); // what every row has is stored as it is
  check({ code: ["5"] }, []);
  check({ User: ["anna"], absent: ["anna"] }, []);
});

Deno.test("the filter of a column of numbers is not asked for texts", async () => {
  const code = { start: 0, end: 1_000, bloomFilter: { start: 1_000, end: 1_047 } };
  const group: RowGroup = {
    ...{ index: 0, rows: 1, firstUs: 0, lastUs: 0 },
    columns: new Map([["code", { ...code, min: null, max: null }]]),
  };
  const values = storedValues({ columns: COLUMNS }, { code: ["5"] });
  const chosen = chooseRowGroups({ rowGroups: [group] }, { sinceUs: 0, untilUs: 1, values });
  const read = () => Promise.reject(new Error("the filter was read"));
  assert.deepEqual(await withoutRefused(read, chosen, values), [group]);
});
