import assert from "node:assert/strict";
import { ACCESS } from "../../../../protocol/schema/streams.ts";
import { physicalNames } from "../../../../protocol/schema/table_sql.ts";

Deno.test("logical columns say which physical ones they are made of, and few others", () => {
  const check = (logical: string[], expected: string[]) => {
    const columns = ACCESS.logical.filter(({ name }) => logical.includes(name));
    assert.deepEqual([...physicalNames(ACCESS, columns)].sort(), expected.sort());
  };
  check(["status", "region"], ["status"]);
  check(["request_time"], ["request_time_ms"]);
  check(["time_local", "request"], ["ts", "request"]);
  check([], []);
  const line = ACCESS.logical.filter(({ name }) => name === "line");
  const made = physicalNames(ACCESS, line);
  for (const name of ["ts", "time_zone_min", "request", "layout", "line_text"]) {
    assert(made.has(name), name);
  }
});
