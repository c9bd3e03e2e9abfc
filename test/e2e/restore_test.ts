/** What an agent has read comes back byte for byte, and is accounted for, while it runs and after. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { combinedLine, jsonLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Ended } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const decoder = new TextDecoder("latin1");

function agent(...args: string[]): Promise<Ended> {
  return runProgram({ args: ourProgram("agent/main.ts", ...args), env: { NO_COLOR: "1" } });
}

async function config(folder: TempFolder): Promise<string> {
  return await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
flush_every: 1h
streams:
  - { name: logs, format: auto, files: [ ./access.log* ] }
`,
  );
}

/** Lines that differ from what is common in one thing each. */
function oddLines(): string {
  const line = combinedLine(0).trimEnd();
  return [
    line.replace("+0000", "-0330"),
    line.replace(" 0 ", " - "),
    line.replace('"GET /item/0 HTTP/1.1"', '""'),
    line.replace('"-"', '""'),
    `${line} 0.100`,
    `${line} 12.3450`,
    `${line}\r`,
    `\0\0${line}`,
    line.replace("test/1.0", "\xff\xfe\0"),
    "no log line",
    "",
    jsonLine(1).trimEnd(),
    '{"status":200}',
  ].map((text) => `${text}\n`).join("");
}

async function writeBytes(path: string, text: string, options: Deno.WriteFileOptions = {}) {
  await Deno.writeFile(path, Uint8Array.from(text, (c) => c.charCodeAt(0)), options);
}

/** The texts in a folder, by the names that their files had. */
async function restoredInto(path: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for await (const { name } of Deno.readDir(path)) {
    texts[name.replace(/\.[0-9a-f]{16}$/, "")] = decoder.decode(
      await Deno.readFile(`${path}/${name}`),
    );
  }
  return texts;
}

Deno.test("rotated logs are restored byte for byte, from a running agent and a stopped one, and add up", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder);
  const log = folder.join("access.log");
  const texts = [0, 1, 2].map((i) =>
    manyLines(combinedLine, i * 1_000, 1_000) + oddLines() + manyLines(jsonLine, i * 1_000, 500)
  );
  const [oldest = "", older = "", newest = ""] = texts;
  const wanted = { "access.log.2": oldest, "access.log.1": older, "access.log": newest };
  await writeBytes(log, oldest);
  {
    await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
    await running.waitForLine(/Agent .*web-1.* reads/);
    const rows = (count: number) =>
      eventually(async () => {
        const { stdout } = await agent(
          "query",
          "SELECT count(*) FROM logs",
          "-o",
          "csv",
          "-c",
          yaml,
        );
        return stdout.endsWith(`\n${count}\n`);
      });
    await rows(1_510);
    await Deno.rename(log, `${log}.1`);
    await writeBytes(log, older);
    await rows(2 * 1_510);
    await Deno.rename(`${log}.1`, `${log}.2`);
    await Deno.rename(log, `${log}.1`);
    await writeBytes(log, newest);
    await rows(3 * 1_510);
    const text = await agent("restore", "-c", yaml);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stderr, /^all time · 4539 lines, .* of 3 files$/m);
    const out = await agent("restore", "--out", folder.join("running"), "-c", yaml);
    assert.equal(out.code, 0, out.stderr);
    assert.deepEqual(await restoredInto(folder.join("running")), wanted);
    const account = await agent("account", "-c", yaml);
    assert.equal(account.code, 0, account.stdout);
    assert.match(account.stdout, /adds up: 4539 lines read = 4530 stored \+ 9 rejected \+ 0 drop/);
    assert.match(account.stderr, /the agent runs/);
  }
  const out = await agent("restore", "--out", folder.join("stopped"), "-c", yaml);
  assert.deepEqual(await restoredInto(folder.join("stopped")), wanted);
  assert.match(out.stderr, new RegExp(`^${folder.join("stopped")}/access.log.2.\\w+: 1513 lines`));
  const again = await agent("restore", "--out", folder.join("stopped"), "-c", yaml);
  assert.equal(again.code, 64);
  assert.match(again.stderr, /Cannot write .*access\.log\.\d?.*: /);
});

Deno.test("sealed logs are restored in the order that they were written, a last line without end as it was", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder);
  const text = manyLines(combinedLine, 0, 2_000) + "no log line\n" +
    manyLines(combinedLine, 2_000, 10).trimEnd();
  const path = await folder.write("old.log", text);
  assert.equal((await agent("import", path, "-c", yaml)).code, 0);
  const { stdout, stderr, code } = await agent("restore", "-c", yaml);
  assert.deepEqual([stdout === text, code], [true, 0], stderr);
  const errors = await agent("restore", "--where", "status = 500", "-c", yaml);
  assert.equal(errors.stdout.split("\n").length, 201 + 1);
  assert.match(errors.stderr, /rejected lines are left out/);
  const none = await agent("restore", "--until", "2020-01-01", "--since", "2019-01-01", "-c", yaml);
  assert.deepEqual([none.stdout, none.code], ["", 0]);
  const wrong = await agent("restore", "--where", "stat = 500", "-c", yaml);
  assert.deepEqual([wrong.stdout, wrong.code], ["", 64]);
  assert.match(wrong.stderr, /stat/);
});

Deno.test("a line over the limit is restored cut, and that is said", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder);
  const long = "x".repeat(3_000_000);
  const path = await folder.write("long.log", `${combinedLine(0)}${long}\n${combinedLine(1)}`);
  await agent("import", path, "-c", yaml);
  const { stdout, stderr } = await agent("restore", "-c", yaml);
  const [first, cut, last] = stdout.split("\n");
  assert.deepEqual([`${first}\n`, `${last}\n`], [combinedLine(0), combinedLine(1)]);
  assert.ok(cut !== undefined && cut.length >= 2 ** 20 && long.startsWith(cut));
  assert.match(stderr, /not as they were: 1 line over the line limit/);
});
