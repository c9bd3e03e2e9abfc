/** A sink that was away and an agent that was off: both are caught up with, in little memory. */
import assert from "node:assert/strict";
import type { WindowEvent } from "../../agent/window/event.ts";
import { memoryOf } from "../bench/process.ts";
import { eventually } from "../harness/eventually.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { ourProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { WINDOW_EVENTS, WINDOW_MS, writeWindowFiles } from "../harness/window_files.ts";

/** Of the sink's absence: 8 hours; three days are 25,920. */
const AWAY_WINDOWS = Number(Deno.env.get("LOGVEND_TEST_WINDOWS") ?? 2_880);
/** Of the agent's. */
const OFF_WINDOWS = 30;

const LINES_PER_WINDOW = 20;

/** An agent that has nothing to do takes 150 MB; three days of windows took 17 MB more. */
const MEMORY_BYTES_MAX = 300e6;

const CATCH_UP_MS = 300_000;

Deno.test("after days of a sink and minutes of an agent away, everything is sent once, in little memory", async () => {
  await using folder = await TempFolder.make();
  const nowMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS;
  const offMs = nowMs - (OFF_WINDOWS + 1) * WINDOW_MS;
  const firstMs = offMs - AWAY_WINDOWS * WINDOW_MS;
  await writeWindowFiles(folder.join("data/windows"), { count: AWAY_WINDOWS, firstMs });
  const lines = Array.from(
    { length: OFF_WINDOWS * LINES_PER_WINDOW },
    (_, i) => combinedLineAt(offMs + Math.floor(i / LINES_PER_WINDOW) * WINDOW_MS, i),
  );
  await folder.write("access.log", lines.join(""));
  const waited: string[] = [];
  const totals = new Map<string, number>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      for (const line of (await request.text()).trimEnd().split("\n")) {
        const { id, group, count = 0 }: WindowEvent = JSON.parse(line);
        if (id.includes("-")) waited.push(id);
        else if (group === "total") totals.set(id, count);
      }
      return new Response();
    },
  );
  const config = await folder.write(
    "agent.yaml",
    `host: web-1\ndata_dir: ./data\nstreams: [ { name: logs, files: [ ./access.log ] } ]\n` +
      `sinks: [ { name: hook, type: webhook, url: 'http://127.0.0.1:${server.addr.port}/' } ]\n`,
  );
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  let peak = 0;
  await eventually(() => {
    peak = memoryOf(agent.pid)?.peak ?? peak;
    const sum = [...totals.values()].reduce((sum, count) => sum + count, 0);
    return waited.length >= AWAY_WINDOWS * WINDOW_EVENTS && sum === lines.length;
  }, CATCH_UP_MS);
  assert.deepEqual(
    waited,
    Array.from(
      { length: AWAY_WINDOWS * WINDOW_EVENTS },
      (_, i) => `${Math.floor(i / WINDOW_EVENTS)}-${i % WINDOW_EVENTS}`,
    ),
  );
  assert.equal(totals.size, OFF_WINDOWS);
  assert.ok(peak < MEMORY_BYTES_MAX, `${peak} bytes`);
});
