/** What an operator sees live: new lines as they are written, answers to what is typed, rounds. */
import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { connectAsync } from "mqtt";
import { findProgram } from "../../deploy/build/debian_package.ts";
import { open, parseBody } from "../../protocol/wire/envelope.ts";
import { TailMessage } from "../../protocol/wire/messages.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine } from "../harness/lines.ts";
import type { Program } from "../harness/program.ts";

const NO_PYTHON = findProgram("python3") === null;

const HOSTS = { "web-1": "eu-west-1", "web-2": "us-east-1" };

async function write(fleet: TestFleet, host: string, ...numbers: number[]) {
  const text = numbers.map(combinedLine).join("");
  await Deno.writeTextFile(fleet.logFile(host), text, { append: true });
}

Deno.test("what operators see live", async (test) => {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker: "embedded" });
  for (const host of Object.keys(HOSTS)) await write(fleet, host, 0);
  await eventually(async () =>
    (await fleet.query("SELECT count(*) AS n FROM logs")).answer.rows[0]?.n === 2
  );
  const step = (name: string, run: (fleet: TestFleet) => Promise<void>, ignore = false) =>
    test.step({ name, ignore, fn: () => run(fleet) });
  await step("the shell runs what is piped to it, until something fails", pipes);
  await step("the shell edits, completes, cancels and remembers at a terminal", types, NO_PYTHON);
  await step("--watch asks again and again, and Ctrl-C ends it with the last exit code", watches);
  await step("tail shows new lines of all hosts, as many as it may, until Ctrl-C", tails);
});

async function tails(fleet: TestFleet) {
  await using broker = await spy(fleet.brokerUrl);
  await using tail = fleet.startCli("tail", "status >= 500", "--rate", "20");
  await tail.waitForLine(/^tailing logs · 2\/2 hosts · q-/);
  await write(fleet, "web-2", 3_000);
  await write(fleet, "web-1", 1_000, 1_001, 4_000);
  await write(fleet, "web-2", 2_000);
  await eventually(() => tail.stdout.split("\n").length === 4 + 1);
  const shown = [1_000, 4_000].map((number) => `web-1  ${combinedLine(number)}`)
    .concat([3_000, 2_000].map((number) => `web-2  ${combinedLine(number)}`));
  assert.deepEqual(tail.stdout.match(/.*\n/g)?.sort(), shown.sort());

  const startedMs = performance.now();
  await write(fleet, "web-1", ...Array.from({ length: 1_000 }, (_, i) => 10 * i));
  const { count, ms } = await eventually(() => {
    const count = tail.stdout.split("\n").length - 4 - 1;
    const told = tail.stderr.matchAll(/^… (\d+) lines? left out: over --rate 20$/gm);
    const leftOut = told.reduce((sum, [, more]) => sum + Number(more), 0);
    return count + leftOut === 1_000 && { count, ms: performance.now() - startedMs };
  });
  assert.ok(count > 0 && count <= 20 + 20 * ms / 1_000, `${count} lines in ${ms} ms`);
  tail.kill("SIGINT");
  await eventually(() => broker.ends.length === 2);
  assert.deepEqual(new Set(broker.ends), new Set(["web-1 cancelled", "web-2 cancelled"]));
  assert.equal((await tail.ended()).code, 130);

  const body = "status = 500";
  const { stdout: token } = await fleet.cli("key", "sign-tail", body, "--host", "web-2");
  const headers = { "logvend-signature": token.trim() };
  const response = await fetch(`${fleet.url}/v1/tail`, { method: "POST", body, headers });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader?.read())?.value ?? "", /"type":"started",.*"answered":1/);
  await reader?.cancel();

  const wrong = await fleet.cli("tail", "statuss = 500");
  assert.equal(wrong.code, 64);
  assert.match(wrong.stderr, /statuss/);
}

async function pipes(fleet: TestFleet) {
  await using shell = fleet.startCli("shell", "-o", "csv");
  await shell.write("SELECT 1 AS one; SELECT\n2 AS two\n;\n\\o jsonl\n");
  await shell.write("\\nope\nSELECT 3;\n");
  await shell.write();
  const { code, stdout, stderr } = await shell.ended();
  assert.match(stderr, /There is no command \\nope/);
  assert.deepEqual([code, stdout], [64, "one\n1\ntwo\n2\n"]);
}

async function types(fleet: TestFleet) {
  await using shell = fleet.startAtTerminal("shell");
  await type(shell, "\\refresh\r\\t\r", / accounting/);
  await type(shell, "SELECT 6 * 7 AS answer\r", /\.\.\.> /);
  await type(shell, "FROM rej\t", /FROM rejects/);
  await shell.write("UNION SELECT 42;\r");
  await shell.waitForLine(/^\s+42\b/);
  await type(shell, "SELECT count(*) FROM range(100000000), range(100000), logs;\r", /\/2 hosts/);
  await shell.write("\x03");
  await shell.waitForLine(/Cancelled on every host/);
  await type(shell, "SELECT nothing \x03", /\^C/);
  await type(shell, "SELECT 'still ' || 'here' AS text;\r", /^ still here/m);
  await type(shell, "\x04");
  assert.equal((await shell.ended()).code, 0);

  await using again = fleet.startAtTerminal("shell");
  await type(again, "\x1b[A\r", /^ still here/m); // the line before
  await type(again, "\\q\r");
  assert.equal((await again.ended()).code, 0);

  await using ended = fleet.startAtTerminal("shell");
  await ended.waitForLine(/logvend> /);
  Deno.kill(shellOf(fleet), "SIGTERM");
  const { code, stdout } = await ended.ended();
  assert.deepEqual([code, /-?icanon/.exec(stdout)?.[0]], [0, "icanon"]); // no raw terminal is left
}

/** Types when the shell waits for it, as a person does: before, keys are for what runs. */
async function type(shell: Program, keys: string, answer?: RegExp) {
  await eventually(() => /(?:logvend|\.\.\.)> $/.test(stripVTControlCharacters(shell.stdout)));
  const { length } = shell.stdout;
  await shell.write(keys);
  if (answer !== undefined) await eventually(() => answer.test(shell.stdout.slice(length)));
}

/** The shell that asks this fleet. */
function shellOf(fleet: TestFleet): number {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return Number.isInteger(pid) &&
        /main\.ts\0shell\0$/.test(Deno.readTextFileSync(`/proc/${pid}/cmdline`)) &&
        Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith(Deno.execPath()) &&
        Deno.readTextFileSync(`/proc/${pid}/environ`).includes(`LOGVEND_URL=${fleet.url}\0`);
    } catch {
      return false; // it has ended
    }
  });
  assert.equal(pids.length, 1);
  return pids[0] ?? NaN;
}

async function watches(fleet: TestFleet) {
  const sql = "SELECT 'round' AS what";
  await using watch = fleet.startCli("query", sql, "--watch", "1s", "-o", "jsonl", "-q");
  await eventually(() => watch.stdout.split("\n").length > 2);
  watch.kill("SIGINT");
  const { code, stdout } = await watch.ended();
  assert.equal(code, 0);
  assert.match(stdout, /^({"what":"round"}\n){2,}$/);
}

/** Hears the last words of tails. */
async function spy(url: string) {
  const client = await connectAsync(url);
  const ends: string[] = [];
  client.on("message", (topic, payload) => {
    const { end } = parseBody(TailMessage, open(payload).body, "tail");
    if (end !== undefined) ends.push(`${topic.split("/")[2]} ${end.code}`);
  });
  await client.subscribeAsync("logvend/a/+/tail/#", { qos: 1 });
  return {
    ends,
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
}
