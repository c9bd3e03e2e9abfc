import assert from "node:assert/strict";
import { error, logsWith, Scene } from "../unit/orchestrator/scene.ts";

Deno.test("--explain refuses what a query refuses, in the same words, and asks no host", async () => {
  await using scene = await Scene.start();
  let asked = 0;
  await scene.agent({ host: "web-1", logs: logsWith([200]), script: () => void asked++ });
  for (
    const sql of [
      "SELECT * FROM read_text('/etc/passwd')",
      "SELECT status,\n  getenv('HOME') FROM logs",
      "SELECT 1; DROP VIEW logs",
      "SELECT json_structure(line) FROM logs",
      "SELECT * FROM main.logs",
    ]
  ) {
    const refused = await error(scene.ask({ sql }));
    const explained = await error(scene.explain(sql));
    assert.equal(refused.code, "bad_sql");
    assert.deepEqual([explained.code, explained.message], [refused.code, refused.message]);
    assert.match(refused.message, /\n {2}at \d+:\d+\n/);
  }
  assert.equal(asked, 0);
});
