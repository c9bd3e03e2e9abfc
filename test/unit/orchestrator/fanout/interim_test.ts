/** fanout/interim.ts: answers before they are whole. */
import assert from "node:assert/strict";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { logsWith, Scene } from "../scene.ts";

const COUNTS = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 1";

Deno.test("what the answer would be by now is told while a host is at work, and then the answer", async () => {
  await using scene = await Scene.start();
  const told = Promise.withResolvers<void>();
  await scene.agent({ host: "web-1", logs: logsWith([200, 200, 404]) });
  await scene.agent({
    host: "web-2",
    logs: logsWith([200]),
    script: async (incoming) => {
      incoming.ack();
      await told.promise;
      incoming.send({ seq: 0, ...await incoming.compute() });
    },
  });
  const client = new ApiClient(scene.orchestrator.url);
  const { token } = await scene.sign({ sql: COUNTS });
  const request = {
    sql: COUNTS,
    token,
    format: "jsonl",
    signal: AbortSignal.timeout(120_000),
  } as const;
  const seen: unknown[] = [];
  for await (const event of client.query({ ...request, interim: true })) {
    if (event.type === "data") {
      seen.push(new TextDecoder().decode(event.bytes));
    }
    if (event.type !== "interim") continue;
    seen.push(event);
    told.resolve();
  }
  const columns = [
    { name: "status", type: "INTEGER" },
    { name: "requests", type: "BIGINT" },
  ];
  const rows = [{ status: 200, requests: 2 }, { status: 404, requests: 1 }];
  const answer = seen.pop();
  assert.equal(answer, '{"status":200,"requests":3}\n{"status":404,"requests":1}\n');
  assert.ok(seen.length > 0); // more than once, where the second host takes its time
  for (const event of seen) {
    assert.deepEqual(event, { type: "interim", columns, rows, answered: 1, asked: 2 });
  }
});
