/** Windows of a real agent: from lines in a log to events in a sink, through late lines and kills. */
import assert from "node:assert/strict";
import type { WindowEvent } from "../../agent/window/event.ts";
import { eventually } from "../harness/eventually.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { freePort } from "../harness/ports.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const CONFIG = (port: number) =>
  `host: web-1
region: eu
data_dir: ./data
http: 127.0.0.1:${port}
streams: [ { name: logs, files: [ ./access.log ] } ]
windows: { every: 1s, grace: 200ms, own: [ ./own.sql ] }
sinks:
  - { name: out, type: file, path: ./out.jsonl }
  - { name: stats, type: file, path: ./stats.jsonl, schema: reference }
  - { name: errors, type: file, path: ./errors.jsonl, select: "SELECT request FROM logs WHERE status >= 500" }
`;

const OWN = "-- group: method\nSELECT http_method AS value, count(*) AS count FROM logs GROUP BY 1";

async function linesOf<T>(path: string): Promise<T[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Of each id the highest revision. */
function newest<T extends { id: string; revision: number }>(events: readonly T[]): T[] {
  const byId = new Map<string, T>();
  for (const event of events) {
    if ((byId.get(event.id)?.revision ?? 0) <= event.revision) byId.set(event.id, event);
  }
  return [...byId.values()];
}

const sumOf = (events: readonly { count?: number }[]) =>
  events.reduce((sum, { count = 0 }) => sum + count, 0);

Deno.test("lines become events in every sink, late ones revise them, and kill -9 changes nothing", async () => {
  await using folder = await TempFolder.make();
  const port = freePort();
  const config = await folder.write("agent.yaml", CONFIG(port));
  await folder.write("own.sql", OWN);
  const log = await folder.write("access.log", "");
  const validated = await runProgram({
    args: ourProgram("agent/main.ts", "validate", "-c", config),
  });
  assert.match(validated.stdout, /^windows of 1 s of logs: total, status, .*, latency, method$/m);
  assert.match(validated.stdout, /^sink errors \(file\): rows: SELECT request/m);
  const gone = `sinks: [ { name: hook, type: webhook, url: 'http://127.0.0.1:${freePort()}/' } ]\n`;
  const other = await folder.write("gone.yaml", CONFIG(port).split("sinks:")[0] + gone);
  const refused = await runProgram({ args: ourProgram("agent/main.ts", "validate", "-c", other) });
  assert.equal(refused.code, 69);
  assert.match(refused.stderr, /sink hook: 127\.0\.0\.1:\d+ refuses connections/);
  const agent = () => startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  const totals = async () =>
    newest(await linesOf<WindowEvent>(folder.join("out.jsonl"))).filter(({ group }) =>
      group === "total"
    );
  const write = (count: number, first: number, atMs: number) =>
    Deno.writeTextFile(
      log,
      Array.from({ length: count }, (_, i) => combinedLineAt(atMs, first + i)).join(""),
      { append: true },
    );
  const startMs = Math.floor(Date.now() / 1_000) * 1_000 - 20_000;
  {
    await using running = agent();
    await write(100, 0, startMs);
    await eventually(async () => sumOf(await totals()) === 100);
    await write(20, 100, startMs); // late
    await write(30, 120, startMs + 5_000);
    await eventually(async () => sumOf(await totals()) === 150);
    await eventually(async () => { // a sink's file has its events a moment before they are counted
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      assert.match(metrics, /^logvend_requests_total\{stream="logs",class="2xx"\} 135$/m);
      assert.match(metrics, /^logvend_sink_waiting_events\{sink="out"\} 0$/m);
      return true;
    });
    running.kill("SIGKILL");
    await running.ended();
  }
  await write(50, 150, startMs + 5_000);
  await using running = agent();
  await eventually(async () => sumOf(await totals()) === 200);
  const [first, second] = await totals();
  assert.deepEqual([first?.count, second?.count], [120, 80]);
  const seconds = (Date.now() - startMs) / 1_000;
  const revision = first?.revision ?? 0; // at least the seconds from its end until it was counted
  assert.ok(revision > 15 && revision <= seconds, `${revision} after ${seconds} s`);
  assert.deepEqual(first && Object.keys(first).sort(), [
    ...["bytes", "count", "end", "group", "host", "id", "region", "revision", "start", "stream"],
  ]);
  await eventually(async () => {
    const events = newest(await linesOf<WindowEvent>(folder.join("out.jsonl")));
    assert.equal(sumOf(events.filter(({ group }) => group === "method")), 200);
    return true;
  });
  await eventually(async () => {
    const rows = newest(await linesOf<WindowEvent>(folder.join("errors.jsonl")));
    assert.deepEqual(
      rows.map(({ row }) => row?.["request"]).sort(),
      Array.from({ length: 20 }, (_, i) => `/item/${i * 10}`).sort(),
    );
    return true;
  });
  const stats = await eventually(async () => {
    const stats = newest(
      await linesOf<Record<string, unknown> & { id: string; revision: number; count: number }>(
        folder.join("stats.jsonl"),
      ),
    );
    const ofTotal = stats.filter((stat) => stat["attribute_type"] === "total");
    assert.equal(sumOf(ofTotal.filter((stat) => stat["attribute_value"] === "requests")), 200);
    return stats;
  });
  const at = new Date(startMs).toISOString().replace(".000", "");
  const ok = stats.find((stat) => stat["@timestamp"] === at && stat["attribute_value"] === "200");
  const { id: _, revision: ofStatus, ...fields } = ok ?? {};
  assert.equal(ofStatus, revision);
  assert.deepEqual(fields, {
    attribute_type: "status",
    attribute_value: "200",
    count: 108,
    end_time: new Date(startMs + 1_000).toISOString().replace(".000", ""),
    "@timestamp": at,
    hour_of_day: new Date(startMs).getUTCHours(),
    tags: ["logvend"],
    host: "web-1",
    region: "eu",
    stream: "logs",
  });
  running.kill("SIGTERM");
  assert.equal((await running.ended()).code, 0);
});

Deno.test("a host that goes for good counts its last window first, and sinks have it", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write(
    "agent.yaml",
    `host: web-1\ndata_dir: ./data\ndrain_timeout: 10m\n` +
      `streams: [ { name: logs, files: [ ./access.log ] } ]\nwindows: { every: 1h }\n` +
      `sinks: [ { name: out, type: stdout } ]\n`,
  );
  const now = Date.now();
  await folder.write("access.log", combinedLineAt(now, 1).repeat(7));
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await agent.waitForLine(/Agent .*web-1.* reads/);
  agent.kill("SIGTERM");
  const { stdout } = await agent.ended();
  const events: WindowEvent[] = stdout.trim().split("\n").filter((line) => line.includes('"group"'))
    .map((line) => JSON.parse(line));
  assert.equal(events.find(({ group }) => group === "total")?.count, 7);
});

Deno.test("imported lines are history: they make no windows, and import says so", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write("agent.yaml", CONFIG(freePort()));
  await folder.write("own.sql", OWN);
  const old = await folder.write("old.log", combinedLineAt(Date.now() - 60_000, 1).repeat(5));
  const imported = ourProgram("agent/main.ts", "import", old, "-c", config);
  const { code, stderr } = await runProgram({ args: imported });
  assert.equal(code, 0);
  assert.match(stderr, /^imported lines make no windows: sinks get nothing of them$/m);
  await folder.write("access.log", combinedLineAt(Date.now() - 20_000, 2).repeat(3));
  await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  await eventually(async () =>
    sumOf(
      newest(await linesOf<WindowEvent>(folder.join("out.jsonl"))).filter(({ group }) =>
        group === "total"
      ),
    ) === 3
  );
  agent.kill("SIGTERM");
  assert.equal((await agent.ended()).code, 0);
});
