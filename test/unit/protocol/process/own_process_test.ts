import assert from "node:assert/strict";
import { beNice, PROGRAM_FOLDER } from "../../../../protocol/process/own_process.ts";

Deno.test("every thread of a process that was made nice is nice; one that has ended is no error", async () => {
  // It has its threads only when it is nice, however long that took.
  const program = "console.log('runs'); setInterval(() => {}, 60_000)";
  const child = new Deno.Command("sh", {
    args: ["-c", 'read -r _; exec "$@"', "sh", Deno.execPath(), "eval", program],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  beNice(child, 10);
  await ReadableStream.from([new Uint8Array([10])]).pipeTo(child.stdin);
  const output = child.stdout.getReader();
  await output.read();
  const threads = [...Deno.readDirSync(`/proc/${child.pid}/task`)].map(({ name }) => {
    const stat = Deno.readTextFileSync(`/proc/${child.pid}/task/${name}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16];
  });
  assert.ok(threads.length > 1);
  assert.deepEqual(new Set(threads), new Set(["10"]));
  child.kill("SIGKILL");
  await child.status;
  await output.cancel();
  beNice(child, 10);
});

Deno.test("the program's folder is the one that has both programs and their packages", () => {
  const names = [...Deno.readDirSync(PROGRAM_FOLDER)].map(({ name }) => name);
  for (const name of ["agent", "orchestrator", "node_modules", "deno.json"]) {
    assert.ok(names.includes(name), `${PROGRAM_FOLDER} has no ${name}`);
  }
});
