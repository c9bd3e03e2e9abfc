/** How a running agent ends: quickly and in order, whatever it is doing. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Program } from "../harness/program.ts";
import { cpuMsOfProgram, endedCpuMs } from "../harness/spent.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { parquetFiles } from "../unit/agent/store/scene.ts";

const HOUR_MS = 3_600_000;
/**
 * What an agent may take for its end, as docs/host.md says. It is CPU time, its sealers' too: an agent
 * that waits for a machine that is busy with much else does not take longer for its own part.
 */
const END_CPU_MS = 5_000;

async function config(folder: TempFolder, more = ""): Promise<string> {
  return await folder.write(
    "agent.yaml",
    `data_dir: ./data\nflush_every: 1h\nseal_after: 1h
streams: [ { name: logs, files: [ ./access.log ] } ]\n${more}`,
  );
}

async function start(yaml: string): Promise<Program> {
  const program = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
  await program.waitForLine(/Agent .* reads/);
  return program;
}

/** Sends a signal to the only program that runs; says what CPU time the end took, and its code. */
async function end(program: Program, signal: Deno.Signal = "SIGTERM") {
  const before = endedCpuMs() + cpuMsOfProgram(program.pid);
  program.kill(signal);
  const { code, stderr } = await program.ended();
  return { code, stderr, cpuMs: endedCpuMs() - before };
}

/** What the data folder answers when no agent runs. */
async function ask(yaml: string, sql: string): Promise<Record<string, unknown>[]> {
  const args = ourProgram(
    "agent/main.ts",
    "query",
    sql,
    "-o",
    "json",
    "--since",
    "all",
    "-c",
    yaml,
  );
  const { code, stdout, stderr } = await runProgram({ args });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).rows;
}

const COUNT = "SELECT count(*) AS n, count(DISTINCT line) AS lines FROM logs";

Deno.test("SIGTERM while reading at full speed: what was read is durable, exit 0 soon", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, `broker: mqtt://127.0.0.1:${freePort()}\n`);
  await folder.write("access.log", manyLines(combinedLine, 0, 200_000));
  await using program = await start(yaml);
  await eventually(async () => (await parquetFiles(folder.join("data"))).length > 0);
  const ended = await end(program);
  assert.equal(ended.code, 0, ended.stderr);
  assert.ok(ended.cpuMs < END_CPU_MS, `took ${ended.cpuMs} ms`);
  const [row] = await ask(yaml, COUNT);
  assert.ok(Number(row?.n) > 0);
  assert.equal(row?.n, row?.lines);
  const [file] = await ask(
    yaml,
    "SELECT count(*) AS n, max(substr(request, 7)::INT) + 1 AS next FROM logs",
  );
  assert.equal(file?.n, file?.next); // from the first line on, none left out
});

Deno.test("SIGTERM while an hour is sealed: exit 0 soon, nothing lost", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "");
  const past = manyLines(combinedLine, 0, 100_000)
    .replaceAll(/\[[^\]]*\]/g, "[22/Nov/2025:18:00:00 +0000]");
  await folder.write("access.log", past);
  {
    await using first = await start(yaml);
    await eventually(async () => (await parquetFiles(folder.join("data"))).length > 0);
    assert.equal((await end(first)).code, 0);
  }
  const text = await Deno.readTextFile(yaml);
  await Deno.writeTextFile(
    yaml,
    text.replaceAll("1h", "100ms").replace("./access.log", "./none.log"),
  );
  await using program = await start(yaml);
  await eventually(() => sealers(program.pid).length > 0);
  const ended = await end(program);
  assert.equal(ended.code, 0, ended.stderr);
  assert.ok(ended.cpuMs < END_CPU_MS, `took ${ended.cpuMs} ms`);
  assert.deepEqual(sealers(program.pid), []);
  const [row] = await ask(yaml, COUNT);
  assert.equal(row?.n, row?.lines);
});

Deno.test("with drain_timeout SIGTERM reads on to the end and seals every hour, the open one too", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "drain_timeout: 10m\n");
  const before = new Date(Date.now() - 3 * HOUR_MS).getUTCHours();
  const lines = manyLines(combinedLine, 0, 30_000);
  const earlier = manyLines(combinedLine, 30_000, 30_000)
    .replaceAll(/:\d\d(:\d\d:\d\d \+0000\])/g, `:${String(before).padStart(2, "0")}$1`);
  await folder.write("access.log", lines + earlier);
  await using program = await start(yaml);
  const { code, stderr } = await end(program);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Draining: reads to the ends of the files/);
  assert.match(stderr, /Drained: sealed 60000 rows in \d chunks/);
  const files = await parquetFiles(folder.join("data"));
  assert.ok(files.length >= 2);
  assert.ok(files.every((path) => path.includes("/stream=logs/")), files.join("\n"));
  assert.deepEqual(await ask(yaml, COUNT), [{ n: 60_000, lines: 60_000 }]);
});

Deno.test("a drain that takes too long ends in time, says so, and loses nothing", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "drain_timeout: 1ms\n");
  await folder.write("access.log", manyLines(combinedLine, 0, 300_000));
  await using program = await start(yaml);
  const ended = await end(program);
  assert.equal(ended.code, 0, ended.stderr);
  assert.ok(ended.cpuMs < END_CPU_MS, `took ${ended.cpuMs} ms`);
  assert.match(ended.stderr, /Not everything is sealed \(.*it took longer than 1 ms.*\)/);
  const [row] = await ask(yaml, COUNT);
  assert.equal(row?.n, row?.lines);
});

Deno.test("a second signal ends it at once, with the code of that signal", async () => {
  const answer = Promise.withResolvers<Response>();
  await using server = Deno.serve( // a sink that a drain waits for
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => answer.promise,
  );
  const hook = `{ name: hook, type: webhook, url: 'http://127.0.0.1:${server.addr.port}/' }`;
  const check = async (signal: Deno.Signal, code: number) => {
    await using folder = await TempFolder.make();
    const yaml = await config(folder, `drain_timeout: 10m\nsinks: [ ${hook} ]\n`);
    await folder.write("access.log", manyLines(combinedLine, 0, 300_000));
    await using program = await start(yaml);
    program.kill(signal);
    await program.waitForLine(/Draining/);
    const ended = await end(program, signal);
    assert.equal(ended.code, code);
    assert.ok(ended.cpuMs < END_CPU_MS, `took ${ended.cpuMs} ms`);
  };
  await check("SIGTERM", 143);
  await check("SIGINT", 130);
  answer.resolve(new Response());
});

/** Processes that seal for an agent. */
function sealers(parent: number): number[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const parentOf = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      return parentOf === String(parent) &&
        Deno.readTextFileSync(`/proc/${name}/cmdline`).includes("worker-seal");
    } catch {
      return false; // it has ended meanwhile
    }
  }).map(({ name }) => Number(name));
}
