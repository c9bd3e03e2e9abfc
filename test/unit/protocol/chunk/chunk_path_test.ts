import assert from "node:assert/strict";
import { chunkPath, parseChunkPath } from "../../../../protocol/chunk/chunk_path.ts";

Deno.test("a chunk's path says all that it was made of", () => {
  const chunk = "0123456789abcdef";
  const place = { stream: "logs", region: "eu-west-1", hour: "2026-11-22T19", chunk };
  for (const host of ["web-1", "a.b.c", "0123456789abcdef"]) {
    assert.deepEqual(parseChunkPath(chunkPath({ ...place, host })), { ...place, host });
  }
  const path = chunkPath({ ...place, host: "web-1" });
  assert.equal(parseChunkPath(`/${path}`), null);
  assert.equal(parseChunkPath(path.replace("region=eu-west-1", "region=..")), null);
  assert.equal(parseChunkPath(path.replace(".0123", ".g123")), null);
  assert.equal(parseChunkPath(path.replace("web-1.", "")), null);
});
