/** cli/json_object.ts: rows are written as they come, and make one object with all the rest. */
import assert from "node:assert/strict";
import { JsonObject } from "../../../../orchestrator/cli/json_object.ts";
import { coverageOf } from "../../../../orchestrator/fanout/coverage.ts";

const END = {
  type: "end" as const,
  query_id: "q-1",
  mode: "rows" as const,
  range: { since: null, until: null },
  columns: [{ name: "a", type: "BIGINT" }],
  coverage: coverageOf([], []),
  elapsed_ms: 1.5,
};

async function written(pieces: readonly string[]) {
  const parts: string[] = [];
  const object = new JsonObject((part) => {
    parts.push(typeof part === "string" ? part : new TextDecoder().decode(part));
    return Promise.resolve();
  });
  for (const [i, piece] of pieces.entries()) {
    await object.rows(new TextEncoder().encode(piece), i === 0 ? END.columns : undefined);
  }
  const before = parts.join("");
  await object.end(END);
  return { before, whole: parts.join("") };
}

Deno.test("pieces of rows are written one behind the other, but for the last", async () => {
  const { before, whole } = await written(['[{"a":1},\n', '{"a":2}', "]\n"]);
  assert.equal(before, '{"columns":[{"name":"a","type":"BIGINT"}],"rows":[{"a":1},\n{"a":2}');
  const { columns, coverage, mode, query_id, elapsed_ms } = END;
  const rows = [{ a: 1 }, { a: 2 }];
  assert.deepEqual(JSON.parse(whole), { columns, rows, coverage, mode, query_id, elapsed_ms });
  assert.equal(whole.indexOf("\n"), whole.indexOf(",\n") + 1);
  assert.match(whole, /\],"coverage":.*\}\n$/s);
});
