/** While one sink does not answer, lines are read, windows counted and the other sinks served. */
import assert from "node:assert/strict";
import type { WindowEvent } from "../../agent/window/event.ts";
import { eventually } from "../harness/eventually.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const ROUNDS = 5;
const LINES = 100;

Deno.test("a sink that hangs delays neither reading nor counting nor another sink, and gets all in the end", async () => {
  await using folder = await TempFolder.make();
  const answer = Promise.withResolvers<void>();
  const got: WindowEvent[] = [];
  const begun = new Set<string>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const lines = (await request.text()).trimEnd().split("\n");
      begun.add(JSON.parse(lines[0] ?? "").id);
      await answer.promise;
      got.push(...lines.map((line) => JSON.parse(line)));
      return new Response();
    },
  );
  const port = freePort();
  const config = await folder.write(
    "agent.yaml",
    `data_dir: ./data
http: 127.0.0.1:${port}
streams: [ { name: logs, files: [ ./access.log ] } ]
windows: { every: 1s, grace: 200ms }
sinks:
  - { name: hook, type: webhook, url: 'http://127.0.0.1:${server.addr.port}/' }
  - { name: out, type: file, path: ./out.jsonl }
`,
  );
  const log = await folder.write("access.log", "");
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await agent.waitForLine(/Agent .* reads /);
  const startMs = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;
  for (let round = 1; round <= ROUNDS; round++) {
    const lines = Array.from(
      { length: LINES },
      (_, i) => combinedLineAt(startMs + round * 1_000, i),
    );
    await Deno.writeTextFile(log, lines.join(""), { append: true });
    await eventually(async () => {
      const text = await Deno.readTextFile(folder.join("out.jsonl"));
      return sumOf(text.trimEnd().split("\n").map((line) => JSON.parse(line))) === round * LINES;
    });
    await eventually(() => begun.size > 0);
    assert.deepEqual([begun.size, got.length], [1, 0]); // it has not moved meanwhile
  }
  const query = ["query", "SELECT count(*) AS n FROM logs", "-o", "csv", "-c", config];
  const { stdout } = await runProgram({ args: ourProgram("agent/main.ts", ...query) });
  assert.match(stdout, new RegExp(`^${ROUNDS * LINES}$`, "m"));
  await eventually(async () => { // a sink's file has its events a moment before they are counted
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, /^logvend_behind_bytes 0$/m);
    assert.match(metrics, /^logvend_sink_waiting_events\{sink="out"\} 0$/m);
    assert.match(metrics, /^logvend_sink_waiting_events\{sink="hook"\} [1-9]/m);
    return true;
  });
  answer.resolve();
  await eventually(() => sumOf(got) === ROUNDS * LINES);
});

/** Requests in all windows, by the highest revision of each. */
function sumOf(events: readonly WindowEvent[]): number {
  const newest = new Map<string, WindowEvent>();
  for (const event of events.filter(({ group }) => group === "total")) {
    if ((newest.get(event.id)?.revision ?? 0) <= event.revision) newest.set(event.id, event);
  }
  return [...newest.values()].reduce((sum, { count = 0 }) => sum + count, 0);
}
