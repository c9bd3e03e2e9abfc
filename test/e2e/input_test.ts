/** Messages over the network and from standard input: once each, whatever happens to the agent. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { eventually } from "../harness/eventually.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Program } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const encoder = new TextEncoder();

const configOf = (input: string, more = "") =>
  `host: web-1
region: eu
data_dir: ./data
${more}streams: [ { name: app, format: syslog, ${input} } ]
`;

function start(config: string): Program {
  return startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
}

/** The port that the agent says it has taken. */
async function portOf(agent: Program, transport: string): Promise<number> {
  const pattern = new RegExp(`"transport":"${transport}","address":"127\\.0\\.0\\.1:(\\d+)"`);
  const [, port] = await agent.waitForLine(pattern);
  return Number(port);
}

/** The one row that SQL gives. */
async function answer(config: string, sql: string) {
  const { stdout, stderr } = await runProgram({
    args: ourProgram("agent/main.ts", "query", sql, "-c", config, "-o", "jsonl", "--since", "all"),
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

async function countsOf(config: string): Promise<{ n: number; different: number }> {
  return await answer(
    config,
    "SELECT count(*) AS n, count(DISTINCT message) AS different FROM app",
  );
}

/** Waits until so many messages are there; each must be there once. */
async function stored(config: string, wanted: number) {
  const { n, different } = await eventually(async () => {
    const counts = await countsOf(config);
    return counts.n >= wanted ? counts : undefined;
  });
  assert.deepEqual({ n, different }, { n: wanted, different: wanted });
}

const message = (n: number) => `<13>Nov 23 10:00:00 web-9 app[7]: message ${n}`;

Deno.test("syslog over TCP, in both framings, and over UDP: every message is stored once", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write(
    "agent.yaml",
    configOf("listen: { udp: 127.0.0.1:0, tcp: 127.0.0.1:0 }"),
  );
  await using agent = start(config);
  const udp = await portOf(agent, "udp");
  const tcp = await portOf(agent, "tcp");
  const send = async (text: string) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: tcp });
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await connection.write(bytes.subarray(at, at + 1_777));
    }
  };
  const lines = Array.from({ length: 5_000 }, (_, n) => message(n));
  await send(lines.map((line) => `${line}\n`).join(""));
  const counted = Array.from({ length: 5_000 }, (_, n) => message(n + 5_000));
  await send(counted.map((text) => `${text.length} ${text}`).join(""));
  const socket = createSocket("udp4");
  for (let n = 10_000; n < 10_100; n++) {
    await new Promise<void>((resolve) =>
      socket.send(encoder.encode(message(n)), udp, "127.0.0.1", () => resolve())
    );
  }
  socket.close();
  await stored(config, 10_100);
});

Deno.test("more senders than file handles: when they have gone, others are heard", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write("agent.yaml", configOf("listen: { tcp: 127.0.0.1:0 }"));
  const run = ourProgram("agent/main.ts", "run", "-c", config);
  await using agent = startProgram({
    command: "sh",
    args: ["-c", 'ulimit -n 100; exec "$@"', "sh", Deno.execPath(), ...run],
  });
  const address = { hostname: "127.0.0.1", port: await portOf(agent, "tcp") };
  const idle = await Promise.all(Array.from({ length: 120 }, () => Deno.connect(address)));
  await agent.waitForLine(/cannot take a sender: .*Too many open files/);
  for (const connection of idle) connection.close();
  using connection = await Deno.connect(address);
  await connection.write(encoder.encode(`${message(0)}\n`));
  await stored(config, 1);
});

Deno.test("kill -9: what was spooled is stored once after the next start", async () => {
  await using folder = await TempFolder.make();
  const more = "flush_every: 1h\n"; // else what was spooled may be stored, and removed, before the kill
  const config = await folder.write("agent.yaml", configOf("listen: { tcp: 127.0.0.1:0 }", more));
  let sent = 0;
  for (let round = 0; round < 2; round++) {
    await using agent = start(config);
    using connection = await Deno.connect({
      hostname: "127.0.0.1",
      port: await portOf(agent, "tcp"),
    });
    const text = Array.from({ length: 2_000 }, () => `${message(sent++)}\n`).join("");
    await connection.write(encoder.encode(text));
    await eventually(async () => (await spooledLines(folder)) >= sent);
    agent.kill("SIGKILL");
    await agent.ended();
  }
  await using _agent = start(config);
  await stored(config, sent);
});

/** Nothing is removed while nothing is flushed. */
async function spooledLines(folder: TempFolder): Promise<number> {
  let lines = 0;
  for await (const { name } of Deno.readDir(folder.join("data/spool/app"))) {
    const text = await Deno.readTextFile(folder.join(`data/spool/app/${name}`));
    lines += text.split("\n").length - 1;
  }
  return lines;
}

Deno.test("standard input is read as a log", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write("agent.yaml", configOf("stdin: true"));
  const log = await folder.write(
    "in.log",
    [
      ...Array.from({ length: 250 }, (_, n) => message(n)),
      "x".repeat(3 * 2 ** 20),
      ...Array.from({ length: 250 }, (_, n) => message(250 + n)),
    ].join("\n"),
  );
  const run = ourProgram("agent/main.ts", "run", "-c", config);
  await using agent = startProgram({
    command: "bash",
    args: ["-c", 'log=$1; shift; exec "$@" < "$log"', "bash", log, Deno.execPath(), ...run],
  });
  await agent.waitForLine(/standard input has ended/);
  await stored(config, 500);
  const sql = "SELECT reason, octet_length(line) AS kept, length < 2097152 AS is_cut FROM rejects";
  assert.deepEqual(await answer(config, sql), { reason: "too_long", kept: 2 ** 20, is_cut: true });
});

Deno.test("an address that is taken, or a stream without any input, stops the start and says so", async () => {
  await using folder = await TempFolder.make();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr; // of TCP
  const config = await folder.write("agent.yaml", configOf(`listen: { tcp: 127.0.0.1:${port} }`));
  const agent = await runProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
  assert.equal(agent.code, 69);
  assert.match(agent.stderr, new RegExp(`Cannot listen on tcp 127\\.0\\.0\\.1:${port}: .*in use`));
  const none = await folder.write("none.yaml", configOf("read_from: end"));
  const refused = await runProgram({
    args: ourProgram("agent/main.ts", "validate", "-c", none),
  });
  assert.equal(refused.code, 78);
  assert.match(refused.stderr, /streams\[0\]\.files: found \[\]; wanted files,\s+listen or stdin/);
});
