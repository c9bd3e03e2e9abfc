import assert from "node:assert/strict";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const logvend = (...args: string[]) =>
  runProgram({ args: ourProgram("orchestrator/main.ts", "archive", ...args) });

/** A host whose log was imported and archived: by hand, as its chunks' paths are their keys. */
async function archiveHost(folder: TempFolder, host: string, text: string) {
  await folder.write(`${host}/access.log`, text);
  const config = await folder.write(
    `${host}/agent.yaml`,
    `host: ${host}\nregion: eu\ndata_dir: ./data\nstreams: [ { name: logs, files: [ ./access.log ] } ]\n`,
  );
  const log = folder.join(host, "access.log");
  const args = ourProgram("agent/main.ts", "import", log, "-c", config);
  const { code, stderr } = await runProgram({ args });
  assert.equal(code, 0, stderr);
  await using chunks = new FolderStore(folder.join(host, "data"));
  const { signal } = new AbortController();
  for await (const { key } of chunks.list("stream=", signal)) {
    await folder.write(`archive/${key}`, await Deno.readFile(folder.join(host, "data", key)));
  }
}

Deno.test("archive restore gives back every file of hosts, byte for byte, rejects in their places", async () => {
  await using folder = await TempFolder.make();
  const lines = manyLines(combinedLine, 0, 3_000).split("\n");
  lines.splice(1_000, 0, "this is no log line");
  const first = lines.map((line, i) =>
    // of two hours by turns
    i % 500 < 250 ? line : line.replace(/\[[^\]]*\]/, "[20/Nov/2026:10:00:00 +0000]")
  ).join("\n");
  const second = manyLines(combinedLine, 50, 200);
  await archiveHost(folder, "web-1", first);
  await archiveHost(folder, "web-2", second);
  const config = await folder.write(
    "orchestrator.yaml",
    'data_dir: ./o\narchives: [ { url: "file:./archive" } ]\n',
  );
  const all = await logvend("restore", "-c", config);
  assert.equal(all.code, 0, all.stderr);
  assert.equal(all.stdout, first + second);
  assert.match(all.stderr, /^3201 lines, .* of 2 hosts from \d+ chunks/m);
  const out = folder.join("out");
  const one = await logvend("restore", "-c", config, "--host", "web-2", "--out", out);
  assert.equal(one.code, 0, one.stderr);
  const [file] = [...Deno.readDirSync(`${out}/web-2`)];
  assert.match(file?.name ?? "", /^access\.log\.[0-9a-f]{16}$/);
  assert.equal(await Deno.readTextFile(`${out}/web-2/${file?.name}`), second);
  const condition = "request LIKE '%7'";
  const some = await logvend("restore", "-c", config, "--host", "web-2", "--where", condition);
  assert.equal(some.code, 0, some.stderr);
  const wanted = second.split("\n").filter((line) => /"GET \S*7 HTTP/.test(line));
  assert.ok(wanted.length > 5);
  assert.deepEqual(some.stdout.trimEnd().split("\n"), wanted);
  const others = await logvend("restore", "-c", config, "--on", "region = eu and host != web-1");
  assert.deepEqual([others.code, others.stdout], [0, second], others.stderr);
  const none = await logvend("restore", "-c", config, "--region", "us,ap");
  assert.match(none.stderr, /^0 lines/m);
  const label = await logvend("restore", "-c", config, "--on", "host = web-1 and service = api");
  assert.equal(label.code, 64);
  assert.match(label.stderr, /knows host and region of its chunks, not service: select by these/);
  const bad = await logvend("restore", "-c", config, "--where", "nothing = 1");
  assert.equal(bad.code, 64);
  assert.match(bad.stderr, /nothing/);
});
