/** The command line as people run it: real processes, their output and exit codes. */
import assert from "node:assert/strict";
import { readAgentConfig } from "../../../../agent/config.ts";
import { readKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { readOrchestratorConfig } from "../../../../orchestrator/config.ts";
import { eventually } from "../../../harness/eventually.ts";
import { ourProgram, runProgram, startProgram } from "../../../harness/program.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { logsWith, Scene } from "../scene.ts";
import { silent } from "../scripted_agent.ts";

const SQL = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC";

function logvend(args: readonly string[], env: Record<string, string> = {}) {
  return runProgram(command(args, env));
}

function command(args: readonly string[], env: Record<string, string>) {
  return { args: ourProgram("orchestrator/main.ts", ...args), env };
}

/** A scene, and what the environment of its operator holds. */
async function operated(stack: AsyncDisposableStack, given: { ackTimeout?: string } = {}) {
  const scene = stack.use(await Scene.start(given));
  const folder = stack.use(await TempFolder.make());
  const key = await folder.write("operator.key", await scene.pem());
  return { scene, env: { LOGVEND_URL: scene.orchestrator.url, LOGVEND_KEY: key } };
}

Deno.test("init writes what serve and agents need, and never overwrites", async () => {
  await using folder = await TempFolder.make();
  const first = await logvend(["init", folder.join("fleet")]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /\nNext:\n {2}logvend serve -c .*\n {2}logvend-agent run -c .*\n$/);
  const names = [...Deno.readDirSync(folder.join("fleet"))].map(({ name }) => name).sort();
  assert.deepEqual(names, ["agent.yaml", "operator.key", "orchestrator.yaml"]);
  const orchestrator = await readOrchestratorConfig(folder.join("fleet", "orchestrator.yaml"));
  const agent = await readAgentConfig(folder.join("fleet", "agent.yaml"));
  const { publicKey } = await readKeyFile(folder.join("fleet", "operator.key"));
  assert.deepEqual([orchestrator.trust, agent.trust], [[publicKey], [publicKey]]);
  const second = await logvend(["init", folder.join("fleet")]);
  assert.equal(second.code, 64);
  assert.match(second.stderr, /orchestrator\.yaml exists already: nothing was written/);
});

Deno.test("key new prints the public half", async () => {
  await using folder = await TempFolder.make();
  const { code, stdout } = await logvend(["key", "new", folder.join("a.key")]);
  assert.equal(code, 0);
  assert.match(stdout, /^ed25519:[\w-]{43}\n$/);
});

Deno.test("mistakes are one clear sentence and an exit code of their own", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write("orchestrator.yaml", "data_dir: x\nhttp: 0.0.0.0:1\n");
  const check = async (args: string[], code: number, pattern: RegExp) => {
    const ended = await logvend(args);
    assert.match(ended.stderr, pattern);
    assert.doesNotMatch(ended.stderr, /^\s+at /m);
    assert.deepEqual([ended.code, ended.stdout], [code, ""]);
  };
  await check(["serve", "-c", config], 78, /orchestrator\.yaml:2:7 http/);
  const blocked = await folder.write("blocked.yaml", "data_dir: ./orchestrator.yaml/data\n");
  await check(
    ["serve", "-c", blocked],
    78,
    /^Cannot write to data_dir \/.*\/data: a folder of its /,
  );
  await check(
    ["serve", "-c", "/nowhere.yaml"],
    78,
    /^Cannot read \/nowhere\.yaml: no such file; give -c CONFIG\n$/,
  );
  await check(["init", `${config}/x`], 64, /^Cannot write .*: a folder of its path is a file\n$/);
  await check(["query", SQL], 64, /Queries are signed: name your key with --key or LOGVEND_KEY/);
  await check(["hosts", "--url", "http://127.0.0.1:1"], 69, /Cannot reach the orchestrator at/);
  await check(["library", "show", "total"], 64, /no query "total"; .* Did you mean totals\?$/m);
  await check(["quarry"], 64, /unknown command 'quarry'/);
  const policy = ["archive", "policy", "s3://acme/logs"];
  await check([...policy, "--host", "web-*"], 64, /^--host web-\*: wanted one name, letters/);
  await check([...policy, "--region", "eu,us"], 64, /^--region eu,us: wanted one name, letters/);
});

Deno.test("query prints the rows, and on stderr what they cover", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack);
  await scene.agent({ host: "web-1", logs: logsWith([200, 200, 304]) });
  await scene.agent({ host: "web-2", logs: logsWith([200]) });
  const table = await logvend(["query", SQL], env);
  assert.equal(
    table.stdout,
    `
 status │ requests
────────┼──────────
    200 │        3
    304 │        1
(2 rows)
`.slice(1),
  );
  assert.match(
    table.stderr,
    /^complete · 2\/2 hosts · last 24 h · 20 rows, 2 chunks, 2\.0 KB read · [\d.]+ m?s · q-\w{6}\n$/,
  );
  assert.equal(table.code, 0);
  const { args } = command(["query", "-", "-q", "-o", "csv"], env);
  const piped = await runProgram({
    command: "bash",
    args: ["-c", 'echo "$SQL" | "$0" "$@"', Deno.execPath(), ...args],
    env: { ...env, SQL },
  });
  assert.equal(piped.stdout, "status,requests\n200,3\n304,1\n");
  const fromLibrary = ["@requests_by_status", "-q", "-o", "csv"];
  assert.equal(
    (await logvend(["query", ...fromLibrary], env)).stdout,
    "status,requests,percent\n200,3,75.0\n304,1,25.0\n",
  );
  const parameters = ["--param", "address=10.0.0.1", "--param", "limit=ten"];
  const mistyped = await logvend(["query", "@address_history", ...parameters], env);
  assert.equal(mistyped.stderr, "--param limit=ten: wanted a whole number, e.g. 10\n");
  assert.equal(mistyped.code, 64);
  const json = await logvend(["query", SQL, "-o", "json", "-q"], env);
  assert.equal(json.stderr, "");
  const { rows, coverage, mode } = JSON.parse(json.stdout);
  assert.deepEqual(rows, [{ status: 200, requests: 3 }, { status: 304, requests: 1 }]);
  assert.deepEqual([coverage.answered, mode], [2, "aggregate"]);
});

Deno.test("the library is listed, and shown as its files are", async () => {
  const list = await logvend(["library", "list", "-o", "json"]);
  const { queries } = JSON.parse(list.stdout);
  assert.deepEqual(queries[0].name, "totals");
  const file = new URL("../../../../queries/library/address_history.sql", import.meta.url);
  const shown = await logvend(["library", "show", "@address_history"]);
  assert.equal(shown.stdout, await Deno.readTextFile(file));
  const table = await logvend(["library", "list"]);
  assert.match(
    table.stdout,
    /^ address_history +│ What did one address do\? +│ address=… limit=1000$/m,
  );
});

Deno.test("the catalog is printed like every answer, without a word of hosts' rows", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack);
  await scene.agent({ host: "web-1", script: silent });
  const { code, stdout, stderr } = await logvend(["query", "SHOW TABLES", "-o", "csv"], env);
  assert.equal(stdout, "name\naccounting\nlogs\nquery_log\nrejects\n");
  assert.match(stderr, /^catalog · no host asked · [\d.]+ m?s · q-\w{6}\n$/);
  assert.equal(code, 0);
  const explained = await logvend(["query", "SHOW TABLES", "--explain"], env);
  assert.match(explained.stdout, /^mode {3}catalog\nhosts {2}none\n\nmerge:\n {2}WITH /);
});

Deno.test("a partial answer names the missing and exits 75, or 0 where that is allowed", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack, { ackTimeout: "3s" });
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  await scene.agent({ host: "web-2", script: silent });
  const partial = await logvend(["query", SQL, "-o", "csv"], env);
  assert.equal(partial.code, 75);
  assert.match(
    partial.stderr,
    /^PARTIAL · 1\/2 hosts · .*\n {2}no ack {2}1 {2}web-2 {2}nothing within 3 s\nexit 75 unless --allow-partial · details: logvend queries q-\w{6}\n$/,
  );
  const id = partial.stderr.slice(-9).trim();
  const details = await logvend(["queries", id], env);
  assert.match(
    details.stdout,
    /^query {5}q-.*\nstate {5}partial\n[^]*\nanswered {2}1\/2 hosts, [^]*\n {2}no ack {2}1 {2}web-2 /,
  );
  const listed = await logvend(["queries", "-o", "json", "--limit", "1"], env);
  assert.equal(JSON.parse(listed.stdout).queries[0].query_id, id);
  const done = await logvend(["queries", id, "--cancel"], env);
  assert.deepEqual([done.code, done.stderr], [64, `${id} does not run: it is partial\n`]);
  const allowed = await logvend(["query", SQL, "-o", "csv", "--allow-partial"], env);
  assert.equal(allowed.code, 0);
  assert.equal(allowed.stdout, partial.stdout);
});

Deno.test("Ctrl-C cancels on every host and exits 130", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack);
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  const agent = await scene.agent({
    host: "web-1",
    script: ({ ack }) => {
      ack();
      resolve();
    },
  });
  await using program = startProgram(command(["query", SQL], env));
  await taken;
  program.kill("SIGINT");
  const { code, stderr } = await program.ended();
  assert.equal(code, 130, stderr);
  await eventually(() => agent.cancelled.length === 1);
});

Deno.test("a signature from key sign lets curl ask", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack);
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const { stdout } = await logvend(["key", "sign", SQL, "--since", "1h"], env);
  const response = await fetch(new URL("/v1/query?format=jsonl", scene.orchestrator.url), {
    method: "POST",
    body: SQL,
    headers: { "logvend-signature": stdout.trim() },
  });
  assert.equal((await response.text()).trim(), '{"status":200,"requests":1}');
});

Deno.test("explain and hosts print what the orchestrator knows", async () => {
  await using stack = new AsyncDisposableStack();
  const { scene, env } = await operated(stack);
  await scene.agent({ host: "web-1" });
  const explained = await logvend(["query", SQL, "--explain", "--host", "web-1,web-9"], env);
  assert.match(explained.stdout, /^mode {3}aggregate\nrange {2}last 24 h\nhosts {2}1: web-1\n/);
  assert.match(explained.stdout, / {7}not asked: web-9 never seen\n/);
  const hosts = await logvend(["hosts"], env);
  assert.match(hosts.stdout, /^HOST .*\nweb-1 {2}eu-west-1 {2}online .*\n1 host: 1 online, 0 off/);
});

Deno.test("serve says where, and ends on SIGTERM", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write(
    "orchestrator.yaml",
    "data_dir: data\nhttp: 127.0.0.1:0\nbroker_listen: 127.0.0.1:0\n",
  );
  await using program = startProgram(command(["serve", "-c", config], { LOGVEND_LOG: "info" }));
  const [, url = ""] = await program.waitForLine(/"Serving \\"(http:[^"]+)\\"/);
  await eventually(async () => (await fetch(new URL("/v1/hosts", url))).ok);
  const second = await logvend(["serve", "-c", config]);
  assert.equal(second.code, 69);
  assert.match(second.stderr, /is in use by a running orchestrator: stop it first/);
  program.kill("SIGTERM");
  assert.equal((await program.ended()).code, 0);
});

Deno.test("completion knows the commands and their flags", async () => {
  const { stdout } = await logvend(["completion", "bash"]);
  const check = async (line: string, wanted: string) => {
    const words = line.split(" ");
    const script = `${stdout}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
_logvend; echo "\${COMPREPLY[@]}"`;
    const bash = await runProgram({ command: "bash", args: ["-c", script] });
    assert.equal(bash.stdout.trim(), wanted);
  };
  await check("logvend que", "query queries");
  await check("logvend key ", "new sign sign-tail --help");
  await check("logvend query --al", "--allow-partial");
  await check("logvend library show tot", "totals");
  await check("logvend query @tot", "@totals");
  await check("logvend query --since 15m @ tot", "@totals");
  await check("logvend query @ totals --al", "--allow-partial");
});
