/** Rows that are erased everywhere: whole processes, an archive in a folder, a host that is away. */
import assert from "node:assert/strict";
import { findProgram } from "../../deploy/build/debian_package.ts";
import { eraseCommand } from "../../orchestrator/cli/archive_erase.ts";
import type { EraseOptions } from "../../orchestrator/cli/archive_erase.ts";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { erasureKey } from "../../protocol/signing/erasure.ts";
import { archivedLines } from "../archive/scene.ts";
import { parquetFiles } from "../unit/agent/store/scene.ts";
import { CapturedTerminal } from "../harness/captured_terminal.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { ADDRESS, eraseSigner, hourLines } from "../unit/agent/erase/scene.ts";

const RANGE = { since: "2026-11-22T18:00:00Z", until: "2026-11-22T20:00:00Z" };
const PHRASE = "erase logs 2026-11-22T18:00:00.000Z 2026-11-22T20:00:00.000Z";
const WHERE = `remote_addr = '${ADDRESS}'`;
const COUNT = `SELECT count(*)::INT AS n, count(*) FILTER (${WHERE})::INT AS erased FROM logs`;
const ALL = ["--since", "2026-11-22", "--until", "2026-11-22T21:00:00Z"];

async function makeFleet(trusts = true) {
  const trust = trusts ? 'trust_erase: [ "$KEY" ]\n' : "";
  const fleet = await TestFleet.start({
    hosts: { "web-1": "eu", "web-2": "eu" },
    broker: "embedded",
    format: "combined",
    more:
      `${trust}seal_after: 500ms\ndrain_timeout: 10m\narchive: { url: 'file:$FOLDER/archive', every: $QUIET }`,
    orchestrator: `${trust}archives: [ { url: 'file:$FOLDER/archive' } ]`,
  });
  for (const host of ["web-1", "web-2"]) {
    const lines = [0, 1, 2].flatMap((hour) => hourLines(hour));
    await Deno.writeTextFile(fleet.logFile(host), lines.map((line) => `${line}\n`).join(""));
  }
  await eventually(async () => (await fleet.query(COUNT, ...ALL)).answer.rows[0]?.n === 300);
  return fleet;
}

/** Runs the command in this process. */
async function erase(
  fleet: TestFleet,
  options: Partial<EraseOptions>,
  typed: string | null = null,
) {
  const terminal = new CapturedTerminal();
  terminal.typed = typed;
  const config = fleet.path("orchestrator.yaml");
  const given = { config, stream: "logs", wait: "2m", key: fleet.env.LOGVEND_KEY, ...options };
  const client = new ApiClient(fleet.url);
  const code = await eraseCommand({ options: given, client, terminal });
  return { code, text: terminal.stderr, printed: terminal.stdout };
}

Deno.test("rows go from hosts, from one that was away, and from the archive; the accounts say erased", async () => {
  await using fleet = await makeFleet();
  fleet.agent("web-2").kill("SIGTERM"); // it archives all that it has
  await fleet.agent("web-2").ended();
  await fleet.online(1);
  const dry = await erase(fleet, { ...RANGE, where: WHERE, dryRun: true });
  assert.match(dry.text, /ERASE FROM logs WHERE ts >= '2026-11-22T18.*remote_addr = /);
  assert.match(dry.text, /eu +│ web-1 +│ +14/);
  assert.match(dry.text, /rejected lines that hold '203\.0\.113\.9' go too/);
  assert.ok(dry.text.includes(`nothing is erased; the confirmation is: ${PHRASE}`));
  assert.equal(dry.printed, "");
  const planned = await erase(fleet, { ...RANGE, where: WHERE, dryRun: true, output: "json" });
  const { erasure, confirmation, archives: [store] } = JSON.parse(planned.printed);
  assert.deepEqual([erasure, confirmation, store.chunks], [null, PHRASE, 4]);
  const erased = await erase(fleet, { ...RANGE, where: WHERE, output: "json" }, PHRASE);
  const { text, code } = erased;
  assert.equal(code, 75, text); // web-2 is away
  const { hosts, archives } = JSON.parse(erased.printed);
  assert.deepEqual([archives.rows, archives.chunks, archives.failures], [16, 4, []]);
  const states = hosts.map(({ host, state }: { host: string; state: string }) => [host, state]);
  assert.deepEqual(states.toSorted(), [["web-1", "done"], ["web-2", "waiting"]]);
  const status = await erase(fleet, { status: true, output: "json" });
  assert.deepEqual(JSON.parse(status.printed)[0].hosts, hosts);
  assert.match(text, /hosts: 1 of 2 done, 16 rows erased from 4 chunks/);
  assert.match(text, /web-2: is offline: it erases when it is back/);
  assert.match(text, /archives: 16 rows erased from 4 chunks of 4/);

  const after = await fleet.query(COUNT, ...ALL);
  assert.deepEqual(after.answer.rows, [{ n: 272, erased: 14 }]); // hour 20 has its own
  fleet.startAgent("web-2");
  await fleet.online(2);
  await eventually(async () => {
    const { printed } = await erase(fleet, { status: true });
    return /hosts: 2 of 2 done, 32 rows erased/.test(printed);
  });
  assert.deepEqual((await fleet.query(COUNT, ...ALL)).answer.rows, [{ n: 272, erased: 14 }]);
  const archived = await fleet.query(COUNT, ...ALL, "--source", "archive", "--host", "web-2");
  assert.deepEqual(archived.answer.rows, [{ n: 136, erased: 7 }]);
  const accounts = await fleet.query(
    `SELECT host, sum(lines)::INT AS n FROM accounting WHERE outcome = 'erased' GROUP BY 1 ORDER BY 1`,
    ...ALL,
  );
  assert.deepEqual(accounts.answer.rows, [{ host: "web-1", n: 16 }, { host: "web-2", n: 16 }]);
  const listed = await fleet.cli("queries");
  assert.match(listed.stdout, /complete .* ERASE FROM logs WHERE ts >= /);
  const log = await fleet.query(
    "SELECT DISTINCT state, sql FROM query_log WHERE sql LIKE 'ERASE%'",
  );
  assert.equal(log.answer.rows.length, 1);

  for (const host of ["web-1", "web-2"]) fleet.agent(host).kill("SIGTERM");
  for (const host of ["web-1", "web-2"]) await fleet.agent(host).ended();
  const files = await parquetFiles(fleet.path("archive"));
  const names = files.map((file) => file.replace(/.*\//, ""));
  assert.equal(names.length, 12, names.join(" "));
  assert.equal(names.filter((name) => name.includes("_")).length, 8);
  const restored = await fleet.cli("archive", "restore", "-c", fleet.path("orchestrator.yaml"));
  const wanted = [0, 1, 2].flatMap((hour) => hourLines(hour))
    .filter((line, i) => i >= 104 || !line.startsWith(ADDRESS));
  assert.deepEqual(restored.stdout.trimEnd().split("\n"), [...wanted, ...wanted]);
  const verified = await fleet.cli("archive", "verify", "-c", fleet.path("orchestrator.yaml"));
  assert.equal(verified.code, 0, verified.stderr);
});

Deno.test("a host that nobody tells finds the erasure in the archive, before it archives the rows", async () => {
  await using folder = await TempFolder.make();
  const { sign, publicKey } = await eraseSigner();
  const { id, record } = await sign();
  await folder.write(`archive/${erasureKey(id)}`, JSON.stringify(record));
  const config = await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
trust_erase: [ "${publicKey}" ]
flush_every: 200ms
drain_timeout: 10m
archive: { url: "file:./archive" }
streams: [ { name: logs, format: combined, files: [ ./access.log ] } ]
`,
  );
  const lines = [0, 1, 2].flatMap((hour) => hourLines(hour));
  await folder.write("access.log", lines.map((line) => `${line}\n`).join(""));
  const args = ourProgram("agent/main.ts", "run", "-c", config);
  await using agent = startProgram({ args });
  await agent.waitForLine(/Agent .* reads/);
  agent.kill("SIGTERM"); // it drains: reads, seals and archives all
  const { code, stderr } = await agent.ended();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /is done: \\"16 rows\\" in \\"4 chunks\\"/);
  await using objects = new FolderStore(folder.join("archive"));
  const left = lines.slice(0, 104).filter((line) => !line.startsWith(ADDRESS)).concat(
    lines.slice(104),
  );
  const parsed = left.filter((line) => line.includes("HTTP/1.1"));
  assert.deepEqual(await archivedLines(objects), parsed.sort());
  const account = await runProgram({
    args: ourProgram("agent/main.ts", "account", "-c", config),
  });
  assert.match(account.stdout, /adds up: 156 lines read = 136 stored .* \+ 16 erased/);
});

Deno.test("nothing is erased without a range, a right, the confirmation, or with a vague condition", async () => {
  await using fleet = await makeFleet(false);
  await Deno.mkdir(fleet.path("archive"), { recursive: true }); // nothing is archived yet
  const refused = async (options: Partial<EraseOptions>, wanted: RegExp, typed?: string) => {
    await assert.rejects(erase(fleet, options, typed ?? null), wanted);
  };
  await refused({ where: WHERE }, /needs an explicit range: --since and --until/);
  await refused({ ...RANGE, since: "all" }, /needs an explicit range/);
  await refused(
    { ...RANGE, where: " " },
    /--where is empty: leave it out where every row is meant/,
  );
  await refused({ since: "1h", until: "2100-01-01" }, /is in the future/);
  await refused({ ...RANGE, where: "count(*) > 1" }, /cannot contain aggregates[\s\S]*at \d+:\d+/);
  await refused({ ...RANGE, where: "nothing = 1" }, /nothing[\s\S]*at \d+:\d+/);
  await refused({ ...RANGE, where: "status = " }, /at \d+:\d+/);
  await refused({ ...RANGE, where: "random() > 0.5" }, /each row of logs decides by itself/);
  await refused({ ...RANGE, where: "status IN (SELECT status FROM logs)" }, /without subqueries/);
  await refused({ ...RANGE, stream: "none" }, /none/);
  await refused({ ...RANGE, stream: "rejects" }, /they go with the lines of their streams/);
  await refused({ ...RANGE, on: "service = web-server" }, /host and region of their chunks alone/);
  await refused({ ...RANGE, where: WHERE }, /there is no terminal; give --confirm "erase logs/);
  await refused({ ...RANGE, where: WHERE }, /Not confirmed, nothing is erased: wanted/, "yes");
  await refused(
    { ...RANGE, where: WHERE, confirm: PHRASE },
    /refuses: key ed25519:\S+ may not erase here: name it in trust_erase/,
  );
  await refused({ status: "00000000" }, /There is no erasure 00000000/);
  assert.deepEqual((await fleet.query(COUNT, ...ALL)).answer.rows, [{ n: 300, erased: 42 }]);
  if (findProgram("python3") === null) return; // there is no terminal to type at
  const flags = ["-c", fleet.path("orchestrator.yaml"), "--since", RANGE.since];
  await using asked = fleet.startAtTerminal("archive", "erase", ...flags, "--until", RANGE.until);
  await eventually(() => asked.stdout.includes(`Type "${PHRASE}" to go on: `));
  await asked.write("erase logs\n");
  const { stdout } = await asked.ended();
  assert.match(stdout, /Not confirmed, nothing is erased: wanted "erase logs 2026/);
});
