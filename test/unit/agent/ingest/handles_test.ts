import assert from "node:assert/strict";
import { handlesForLogs } from "../../../../agent/ingest/handles.ts";

Deno.test("logs get half of the file handles that nothing else needs, 256 at most, one at least", () => {
  const openMax = (limit: string) =>
    handlesForLogs(`Limit Soft\nMax open files   ${limit}   4096 files\n`);
  assert.deepEqual(openMax("100"), { limit: 100, filesOpenMax: 18 });
  assert.equal(openMax("1048576").filesOpenMax, 256);
  assert.equal(openMax("20").filesOpenMax, 1);
  assert.deepEqual(handlesForLogs(""), { limit: null, filesOpenMax: 256 });
});
