/** The launcher: a payload is unpacked once and whole, whatever happens, and its program is run. */
import assert from "node:assert/strict";
import { makeLauncher, missingLauncherTools, pack } from "../../deploy/build/launcher.ts";
import { eventually } from "../harness/eventually.ts";
import { runProgram, startProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const ignore = (await missingLauncherTools()).length > 0;

/** Stands in for Deno: says how it was called, by which process. */
const FAKE_DENO = `#!/bin/sh
echo "pid $$"
echo "self $LOGVEND_SELF"
for argument; do echo "argument $argument"; done
`;

/** Says so and stays, in the process that holds the lock. */
const LOCKED = "echo locked; exec sleep 3600";

const TWO_DAYS_MS = 2 * 24 * 3_600_000;

/** A launcher in a folder of its own, with a payload of `fillerBytes` and the fake Deno. */
async function build(folder: TempFolder, fillerBytes = 1_000) {
  await folder.write("stage/deno", FAKE_DENO);
  await Deno.chmod(folder.join("stage", "deno"), 0o755);
  await folder.write("stage/probe.args", "run\n--allow-read={root}/app,{root}/data\n");
  const filler = new Uint8Array(fillerBytes);
  for (let at = 0; at < fillerBytes; at += 65_536) {
    crypto.getRandomValues(filler.subarray(at, at + 65_536));
  }
  await folder.write("stage/app/filler", filler);
  const payload = folder.join("payload");
  await pack(folder.join("stage"), payload);
  const output = folder.join("probe");
  await makeLauncher({ payload, name: "probe", output });
  return { command: output, env: { LOGVEND_CACHE: folder.join("cache") } };
}

const versions = async (folder: TempFolder) =>
  (await Array.fromAsync(Deno.readDir(folder.join("cache")), ({ name }) => name))
    .filter((name) => name !== "deno-dir");

Deno.test({
  name: "the program gets its arguments, the user's, and the launcher's own process",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    const probe = await build(folder);
    await using program = startProgram({ ...probe, args: ["query", "SELECT 1"] });
    const { code, stdout } = await program.ended();
    const root = folder.join("cache", ...await versions(folder));
    assert.equal(code, 0);
    assert.deepEqual(stdout.trim().split("\n"), [
      `pid ${program.pid}`,
      `self ${probe.command}`,
      "argument run",
      `argument --allow-read=${root}/app,${root}/data`,
      "argument query",
      "argument SELECT 1",
    ]);
    assert.equal((await Deno.stat(`${root}/app/filler`)).size, 1_000);
  },
});

Deno.test({
  name: "starts at the same time, and a start killed while unpacking, leave one whole copy",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    const probe = await build(folder, 30_000_000);
    await using killed = startProgram({ ...probe, args: [] });
    await eventually(async () => (await versions(folder)).length > 0);
    killed.kill("SIGKILL");
    await killed.ended();
    const starts = await Promise.all([1, 2, 3].map(() => runProgram({ ...probe, args: [] })));
    assert.deepEqual(starts.map(({ code, stderr }) => ({ code, stderr })), [
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
    ]);
    const whole = (await versions(folder)).filter((name) => !name.startsWith("."));
    assert.equal(whole.length, 1);
    const filler = folder.join("cache", ...whole, "app", "filler");
    assert.equal((await Deno.stat(filler)).size, 30_000_000);
  },
});

Deno.test({
  name: "a new version removes what is old and unused, and nothing else",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    const probe = await build(folder);
    const [unused, used, young] = ["0".repeat(32), "1".repeat(32), "2".repeat(32)] as const;
    for (const name of [unused, used, young, ".unpacking-abc", "notes"]) {
      const path = folder.join("cache", name);
      await Deno.mkdir(path, { recursive: true });
      const time = new Date(Date.now() - (name === young ? 0 : TWO_DAYS_MS));
      await Deno.utime(path, time, time);
    }
    await using user = startProgram({
      command: "flock",
      args: ["--shared", "--no-fork", folder.join("cache", used), "sh", "-c", LOCKED],
    });
    await user.waitForLine(/locked/);
    assert.equal((await runProgram({ ...probe, args: [] })).code, 0);
    const left = await versions(folder);
    assert.equal(left.length, 4);
    assert.deepEqual(left.filter((name) => [used, young, "notes"].includes(name)).length, 3);
  },
});

Deno.test({
  name: "a file that is damaged or cut short, and a cache that cannot be used, are said in words",
  ignore,
  async fn() {
    await using folder = await TempFolder.make();
    const probe = await build(folder, 100_000);
    const bytes = await Deno.readFile(probe.command);
    const check = async (name: string, content: Uint8Array, message: RegExp, cache = "cache") => {
      const command = await folder.write(name, content);
      await Deno.chmod(command, 0o755);
      const env = { LOGVEND_CACHE: folder.join(cache) };
      const { code, stdout, stderr } = await runProgram({ command, args: [], env });
      assert.equal(code, 126);
      assert.equal(stdout, "");
      assert.match(stderr, message);
    };
    await check("cut", bytes.subarray(0, -1_000), /^probe: this file is incomplete/);
    const damaged = bytes.slice();
    damaged.set([1, 2, 3, 4], bytes.length - 50_000);
    await check("damaged", damaged, /^probe: this file is damaged/);
    assert.deepEqual(await versions(folder), []);
    await folder.write("file", "");
    await check(
      "whole",
      bytes,
      /^probe: cannot use .*file\/cache: Not a directory\n.*LOGVEND_CACHE/,
      "file/cache",
    );
  },
});
