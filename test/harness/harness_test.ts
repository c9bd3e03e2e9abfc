/** The harness itself: programs, ports, folders, waits, Mosquitto. */
import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { nextMoment } from "../../agent/archive/schedule.ts";
import { parseDurationMs } from "../../protocol/units.ts";
import { eventually } from "./eventually.ts";
import { MOSQUITTO_IS_MISSING, startMosquitto } from "./mosquitto.ts";
import { freePort, freePorts } from "./ports.ts";
import { runProgram, startProgram } from "./program.ts";
import { quietEvery } from "./quiet_archive.ts";
import { TempFolder } from "./temp_folder.ts";

const script = (code: string) => ({ args: ["eval", "--no-lock", "--quiet", code] });

Deno.test("a program's output, exit code and environment are its own", async () => {
  const ended = await runProgram({
    ...script(`console.log(Deno.env.get("WORD")); console.error("no"); Deno.exit(3)`),
    env: { WORD: "yes" },
  });
  assert.deepEqual(ended, { code: 3, stdout: "yes\n", stderr: "no\n" });
});

Deno.test("a line can be waited for, and a program ends with its block", async () => {
  const loop = script(`console.log("pid", Deno.pid); setInterval(() => {}, 1_000)`);
  let program;
  {
    await using started = startProgram(loop);
    const [, pid] = await started.waitForLine(/^pid (\d+)$/);
    assert.equal(Number(pid), started.pid);
    await assert.rejects(started.waitForLine(/never/, 50), /wrote no line \/never\/ within 50 ms/);
    program = started;
  }
  assert.equal((await program.ended()).code, 143);
  await assert.rejects(program.waitForLine(/never/), /ended without a line/);
});

Deno.test("a killed program has ended though its own child still holds its output", async () => {
  await using program = startProgram({ command: "sh", args: ["-c", "sleep 600 & echo $!; wait"] });
  const [child] = await program.waitForLine(/^\d+$/);
  program.kill("SIGKILL");
  assert.equal((await program.ended()).code, 137);
  Deno.kill(Number(child), "SIGKILL");
});

Deno.test("free ports differ, and can be listened on", () => {
  const ports = freePorts(3);
  assert.equal(new Set(ports).size, 3);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("no process is given a port that another one has, and the system gives them to nobody", async () => {
  const url = new URL("ports.ts", import.meta.url).href;
  const code = `const { freePorts } = await import("${url}");
    console.log(freePorts(39).join());
    setInterval(() => {}, 1_000);`;
  const programs = Array.from({ length: 3 }, () => startProgram(script(code)));
  await using stack = new AsyncDisposableStack();
  for (const program of programs) stack.use(program);
  const given = await Promise.all(programs.map(async (program) => {
    const [line] = await program.waitForLine(/^[\d,]+$/);
    return line.split(",").map(Number);
  }));
  const all = [...given.flat(), ...freePorts(39)];
  assert.equal(new Set(all).size, 4 * 39);
  const range = await Deno.readTextFile("/proc/sys/net/ipv4/ip_local_port_range");
  assert.ok(Math.max(...all) < Number(range.split("\t")[0]), range);
  assert.equal(new Set(freePorts(39)).size, 39); // those of before are free by now
});

Deno.test("no host sends to its archive within half an hour of any moment", () => {
  const hosts = ["web-1", "web-2", "web-3"];
  const names = hosts.flatMap((host) => [host, `${host} catalog`]);
  for (let nowMs = Date.UTC(2026, 0, 1), i = 0; i < 2_000; i++, nowMs += 47_000) {
    const everyMs = parseDurationMs(quietEvery(hosts, nowMs), "every");
    const waitsMs = names.map((name) => nextMoment(name, everyMs, nowMs) - nowMs);
    assert.ok(Math.min(...waitsMs) >= 1_800_000, `${new Date(nowMs).toISOString()}: ${waitsMs}`);
  }
});

Deno.test("a temporary folder is gone after its block", async () => {
  let path;
  {
    await using folder = await TempFolder.make();
    path = await folder.write("a/b.txt", "text");
    assert.equal(await Deno.readTextFile(folder.join("a", "b.txt")), "text");
  }
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
});

Deno.test("a temporary folder goes though somebody writes into it still", async () => {
  const folder = await TempFolder.make();
  await Deno.mkdir(folder.join("a"));
  const write = `for (let i = 0; i < 2_000; i++) {
    try { Deno.mkdirSync("${folder.path}/a/" + i); } catch { break; }
  }`;
  await using program = startProgram(script(`console.log("begun"); ${write}`));
  await program.waitForLine(/begun/);
  await folder[Symbol.asyncDispose]();
  await assert.rejects(Deno.stat(folder.path), Deno.errors.NotFound);
});

Deno.test("eventually waits for a value, and says what did not come", async () => {
  let looks = 0;
  assert.equal(await eventually(() => ++looks === 3 && "there"), "there");
  await assert.rejects(eventually(() => false, 50), /Not so within 50 ms/);
  await assert.rejects(eventually(() => assert.equal(1, 2), 50), /1 !== 2/);
});

Deno.test({
  name: "Mosquitto takes connections on the port that was asked for",
  ignore: MOSQUITTO_IS_MISSING,
  async fn() {
    await using broker = await startMosquitto({ port: freePort() });
    const client = await connectAsync(broker.url);
    await client.publishAsync("a", "b", { qos: 1 });
    await client.endAsync();
  },
});
