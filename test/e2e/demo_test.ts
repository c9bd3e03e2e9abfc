/** The demo, as a newcomer runs it: what it shows, and that it leaves nothing behind. */
import assert from "node:assert/strict";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Program } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

/** A demo whose folder lies in `folder`. */
function startDemo(folder: TempFolder, ...flags: string[]): Program {
  const args = ourProgram("orchestrator/main.ts", "demo", ...flags);
  return startProgram({ args, env: { TMPDIR: folder.path, NO_COLOR: "1" } });
}

/** The demo's programs have its folder in their arguments. */
async function assertNothingLeft(folder: TempFolder) {
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder.path)), []);
  const processes = await new Deno.Command("ps", { args: ["-A", "-o", "args="] }).output();
  const left = new TextDecoder().decode(processes.stdout).split("\n")
    .filter((args) => args.includes(folder.path));
  assert.deepEqual(left, []);
}

Deno.test("demo --once shows an answer, a partial one and the proof, and exits 0", async () => {
  await using folder = await TempFolder.make();
  await using program = startDemo(folder, "--once");
  const { code, stdout, stderr } = await program.ended();
  assert.equal(code, 0, stdout + stderr);
  assert.match(
    stdout,
    /^logvend demo · 3 hosts, 2 regions · http:\/\/127\.0\.0\.1:\d+ · ready in .*\n\n1 {2}One question[^]*\n2 {2}kill -9 web-2[^]*\n3 {2}web-2 restarted: wc -l (\d+) = count\(\*\) \1\. Nothing lost, nothing doubled\.\n {3}\d.* of logs stored in .* \(0\.\d+\)\.\n\n$/,
  );
  assert.match(
    stderr,
    /^complete · 3\/3 hosts · .*\nPARTIAL · 2\/3 hosts · .*\n {2}offline 1 {2}web-2 /,
  );
  await assertNothingLeft(folder);
});

Deno.test("a demo that stays up says where its visitors are, and is gone after Ctrl-C, which may come twice", async () => {
  await using folder = await TempFolder.make();
  await using program = startDemo(folder);
  const [, url = ""] = await program.waitForLine(/LOGVEND_URL=(\S+)/);
  const [, key = ""] = await program.waitForLine(/LOGVEND_KEY=(.*)/);
  assert.ok((await Deno.stat(key)).isFile && key.startsWith(folder.path));
  const [, sql = ""] = await program.waitForLine(/query "(SELECT geo_country.*)"/);
  const asked = await runProgram({
    args: ourProgram("orchestrator/main.ts", "query", sql, "-o", "csv"),
    env: { LOGVEND_URL: url, LOGVEND_KEY: key },
  });
  assert.equal(asked.code, 0, asked.stderr);
  assert.match(asked.stdout, /^geo_country,geo_city,requests\r?\nUS,New York,\d{4,}\r?\n/);
  assert.match(asked.stdout, /\nDE,München,\d{4,}\r?\n/);
  program.kill("SIGINT"); // from the terminal
  await program.waitForLine(/^Stopping/);
  program.kill("SIGINT"); // from deno task
  const { code, stdout, stderr } = await program.ended();
  assert.equal(code, 0, stdout + stderr);
  await assertNothingLeft(folder);
});

Deno.test("a demo that is stopped on its way leaves nothing either, and has proven nothing", async () => {
  await using folder = await TempFolder.make();
  await using program = startDemo(folder, "--once");
  await program.waitForLine(/^1 {2}One question/);
  program.kill("SIGTERM");
  const { code, stderr } = await program.ended();
  assert.equal(code, 130);
  assert.match(stderr, /^Stopped before the proof$/m);
  await assertNothingLeft(folder);
});
