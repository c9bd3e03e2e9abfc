/** A running agent's /metrics, /healthz and /readyz. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

interface Agent {
  yaml: string;
  url: string;
}

async function configured(folder: TempFolder): Promise<Agent> {
  const url = `http://127.0.0.1:${freePort()}`;
  const yaml = await folder.write(
    "agent.yaml",
    `data_dir: ./data\nflush_every: 200ms\nhttp: ${url.slice("http://".length)}
streams: [ { name: logs, files: [ ./access.log ] } ]\n`,
  );
  return { yaml, url };
}

function start({ yaml }: Agent) {
  return startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
}

async function look({ url }: Agent, path: string) {
  const response = await fetch(url + path);
  return { status: response.status, text: await response.text() };
}

Deno.test("an agent is ready when it has read its files, and its counters survive restarts", async () => {
  await using folder = await TempFolder.make();
  const agent = await configured(folder);
  await folder.write("access.log", manyLines(combinedLine, 0, 1_000) + "no log line\n");
  const total = (lines: number) =>
    eventually(async () => {
      const { text } = await look(agent, "/metrics");
      return text.includes(`\nlogvend_read_lines_total{stream="logs"} ${lines}\n`) && text;
    });
  {
    await using _program = start(agent);
    const text = await total(1_001);
    assert.match(text, /^logvend_rejected_lines_total\{stream="logs",reason="no_format"\} 1$/m);
    const ready = await eventually(async () => {
      const { status, text } = await look(agent, "/readyz"); // a moment after the last line was read
      return status === 200 && text;
    });
    assert.deepEqual(JSON.parse(ready), { ready: true, reasons: [] });
    assert.equal((await look(agent, "/healthz")).status, 200);
    assert.equal((await look(agent, "/")).status, 404);
  }
  await Deno.writeTextFile(folder.join("access.log"), combinedLine(1_000), { append: true });
  await using _again = start(agent);
  await total(1_002);
});

Deno.test("while parts cannot be written an agent is healthy, not ready, says why, and recovers", async () => {
  await using folder = await TempFolder.make();
  const agent = await configured(folder);
  await folder.write("data/parts", "in the way of the folder");
  await folder.write("access.log", manyLines(combinedLine, 0, 10));
  await using _program = start(agent);
  const unready = await eventually(async () => {
    const { status, text } = await look(agent, "/readyz");
    return status === 503 && text.includes("cannot be written") && text;
  });
  assert.match(unready, /^\{"ready":false,"reasons":\["parts cannot be written: /);
  assert.equal((await look(agent, "/healthz")).status, 200);
  assert.match((await look(agent, "/metrics")).text, /^logvend_writing_broken 1$/m);
  await Deno.remove(folder.join("data", "parts"));
  await eventually(async () => (await look(agent, "/readyz")).status === 200);
});

Deno.test("a port that is taken is said, with what to do", async () => {
  await using folder = await TempFolder.make();
  const agent = await configured(folder);
  const { port } = new URL(agent.url);
  using _taken = Deno.listen({ hostname: "127.0.0.1", port: Number(port) });
  const args = ourProgram("agent/main.ts", "run", "-c", agent.yaml);
  const { code, stderr } = await runProgram({ args });
  assert.equal(code, 69);
  assert.match(
    stderr,
    /^Cannot listen on 127\.0\.0\.1:\d+: the port is in use; stop what uses it/m,
  );
});
