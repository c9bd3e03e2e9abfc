import assert from "node:assert/strict";
import { DemoFolder } from "../../../../orchestrator/demo/folder.ts";
import { Program } from "../../../../orchestrator/demo/program.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

/** A program of the shell's, and the file that takes its output. */
async function shell(folder: TempFolder, script: string) {
  const logFile = await folder.write("program.log", "");
  const program = Program.start({
    name: "web-9",
    command: { command: "sh", args: ["-c", script] },
    logFile,
  });
  return { program, logFile };
}

async function said(logFile: string, text: string) {
  await eventually(async () => (await Deno.readTextFile(logFile)).includes(text));
}

Deno.test("a program that ends by itself is a failure that shows its last words", async () => {
  await using folder = await TempFolder.make();
  const { program } = await shell(folder, "echo first; echo cannot go on >&2; exit 7");
  await assert.rejects(program.failure(), /^LogvendError: web-9 ended \(7\):\n(.*\n)?cannot go on/);
});

Deno.test("a program that does not end when asked to is killed", async () => {
  await using folder = await TempFolder.make();
  const { program, logFile } = await shell(folder, "trap '' TERM; echo up; exec sleep 600");
  await said(logFile, "up");
  await program[Symbol.asyncDispose]();
  await assert.rejects(program.failure(), /ended \(SIGKILL\)/);
});

Deno.test("a child that outlives its killed program is not waited for", async () => {
  await using folder = await TempFolder.make();
  const { program, logFile } = await shell(folder, "sleep 600 & echo child $!; wait");
  await said(logFile, "child");
  await program.kill();
  const [, child] = /child (\d+)/.exec(await Deno.readTextFile(logFile)) ?? [];
  Deno.kill(Number(child), "SIGKILL"); // it was there still
});

Deno.test("the demo's folder goes although somebody writes into it a moment longer", async () => {
  const folder = await DemoFolder.make();
  const { mode } = await Deno.stat(folder.path);
  assert.equal((mode ?? 0) & 0o077, 0);
  const script =
    `for i in $(seq 200); do mkdir -p "$0/a/b" && echo x > "$0/a/b/$i"; done 2>/dev/null`;
  const writer = new Deno.Command("sh", { args: ["-c", script, folder.path] }).spawn();
  await folder[Symbol.asyncDispose]();
  await writer.status;
  await Deno.remove(folder.path, { recursive: true }).catch(() => {}); // mkdir -p made it anew
});
