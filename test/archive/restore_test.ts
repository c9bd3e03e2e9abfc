import assert from "node:assert/strict";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { combinedLine, combinedLineAt, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

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
  const again = folder.join("again");
  const hostTwo = ["restore", "-c", config, "--host", "web-2", "-o", "json"];
  const json = await logvend(...hostTwo, "--out", again);
  const { lines: count, hosts, left_out: leftOut } = JSON.parse(json.stdout);
  assert.deepEqual([json.code, count, hosts, leftOut], [0, 200, 1, []]);
  const both = await logvend(...hostTwo);
  assert.deepEqual([both.code, both.stdout], [64, ""]);
  assert.match(both.stderr, /-o json goes with --out FOLDER/);
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
  const refused = async (args: string[], why: RegExp) => {
    const bad = await logvend("restore", "-c", config, ...args);
    assert.deepEqual([bad.code, bad.stdout], [64, ""]);
    assert.match(bad.stderr, why);
  };
  await refused(["--where", "nothing = 1"], /nothing/);
  await refused(["--where", ""], /^--where is empty: leave it out where every row is meant$/m);
  await refused(
    ["--where", "CAST(request AS INTEGER) = 1"],
    /^Conversion Error: Could not convert string '\/.*' to INT32.*\n$/,
  );
  await refused(["--out", config], /^Cannot write to .*web-1: a folder of its path is a file$/m);
});

Deno.test("archive restore names what is no chunk of ours, and restores the others", async () => {
  await using folder = await TempFolder.make();
  const ofOneHour = (i: number) => combinedLineAt(Date.parse("2026-11-20T10:00:00Z") + i, i);
  const text = manyLines(ofOneHour, 0, 300);
  for (const host of ["web-1", "web-2", "web-3", "web-4"]) await archiveHost(folder, host, text);
  await using objects = new FolderStore(folder.join("archive"));
  const listed = await Array.fromAsync(objects.list("stream=", new AbortController().signal));
  const keyOf = (host: string) => listed.find(({ key }) => key.includes(`/${host}.`))?.key ?? "";
  const pathOf = (host: string) => folder.join("archive", keyOf(host));
  await Deno.writeTextFile(pathOf("web-1"), "somebody's own notes, and no Parquet");
  const newer = folder.join("newer.parquet");
  await writeChunk(newer, { rows: 10, host: "web-2", said: '{"schema_version":99}' });
  await Deno.rename(newer, pathOf("web-2"));
  const bytes = await Deno.readFile(pathOf("web-3"));
  await Deno.writeFile(pathOf("web-3"), bytes.map((byte, i) => i > 50 && i < 2_000 ? ~byte : byte));
  const config = await folder.write(
    "orchestrator.yaml",
    'data_dir: ./o\narchives: [ { url: "file:./archive" } ]\n',
  );
  const { code, stdout, stderr } = await logvend("restore", "-c", config);
  assert.equal(code, 75);
  assert.equal(stdout, text, "web-4's");
  const leftOut = (host: string) =>
    stderr.split("\n").find((line) => line.startsWith("left out: ") && line.includes(keyOf(host)));
  const remove = "see logvend archive verify, and remove or replace it";
  assert.ok(leftOut("web-1")?.endsWith(`: it has no footer; ${remove}`), stderr);
  assert.match(leftOut("web-2") ?? "", /a newer logvend wrote it \(schema 99; .*; upgrade whoever/);
  assert.ok(leftOut("web-3")?.endsWith(`: its rows cannot be read; ${remove}`), stderr);
  assert.match(stderr, /^300 lines, .* of 4 hosts from 1 chunk; 3 chunks left out$/m);
  const verified = await logvend("verify", "-c", config);
  assert.equal(verified.code, 75);
  assert.match(verified.stdout, /web-2\S*: a newer logvend wrote it/);
});
