import assert from "node:assert/strict";
import { ArchivedErasures } from "../../agent/archive/archived_erasures.ts";
import { verifyChunk } from "../../orchestrator/archive/verify.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { agentOf } from "../unit/agent/archive/catalog/scene.ts";
import { makeHost } from "./scene.ts";

const { signal } = new AbortController();
const logvend = (...args: string[]) =>
  runProgram({ args: ourProgram("orchestrator/main.ts", "archive", ...args) });

/** An archive of three hours in a folder, and a configuration that names it. */
async function scene(folder: TempFolder) {
  await using host = await makeHost(folder);
  await host.seal(3);
  const objects = new FolderStore(folder.join("archive"));
  await host.archive(objects).uploadAll(signal);
  const config = await folder.write(
    "orchestrator.yaml",
    'data_dir: ./o\narchives: [ { url: "file:./archive" } ]\n',
  );
  return { config, objects };
}

Deno.test("archive ls and stat say what there is, and what is no chunk", async () => {
  await using folder = await TempFolder.make();
  const { config, objects } = await scene(folder);
  const stat = await logvend("stat", "-c", config, "-o", "json");
  assert.equal(stat.code, 0, stat.stderr);
  const { sums: [sum], strangers } = JSON.parse(stat.stdout);
  assert.deepEqual({ ...sum, bytes: 0 }, {
    stream: "logs",
    region: "eu",
    date: null,
    hosts: 1,
    chunks: 3,
    bytes: 0,
    first_hour: "2026-11-22T18",
    last_hour: "2026-11-22T20",
  });
  assert.deepEqual(strangers, { count: 0, examples: [] });
  const body = new TextEncoder().encode("x");
  await objects.put({ key: "stream=logs/mine.csv", body, sha256: sha256Hex(body) }, signal);
  const ls = await logvend("ls", "-c", config, "--since", "2026-11-22T19:30:00Z");
  assert.match(
    ls.stdout,
    /logs +│ eu +│ 2026-11-22 +│ +1 │ +2 │ .* │ 2026-11-22T19 │ 2026-11-22T20/,
  );
  assert.match(ls.stderr, /1 object that no agent .*left out:\n +file:.*\/stream=logs\/mine\.csv/);
  const none = await logvend("ls", "-c", config, "--region", "us");
  assert.match(none.stdout, /^Nothing is archived of that/);
});

Deno.test("archive index says which days have a manifest, and removes them to be made anew", async () => {
  await using folder = await TempFolder.make();
  const { config, objects } = await scene(folder);
  const indexed = async (...more: string[]) => {
    const { stdout, stderr } = await logvend("index", "-c", config, "-o", "json", ...more);
    return { rows: stdout === "" ? [] : JSON.parse(stdout), stderr };
  };
  const row = { stream: "logs", region: "eu", days: 1, manifests: 0, bytes: 0, changed: 0 };
  assert.deepEqual((await indexed()).rows, [row]);
  const agent = await agentOf(objects, folder);
  await agent.catalog.keeper.round(signal);
  await agent.catalog.own.distrust([{ stream: "logs", date: "2026-11-22" }], signal);
  const [made] = (await indexed()).rows;
  assert.deepEqual({ ...made, bytes: 0 }, { ...row, manifests: 1, changed: 1 });
  assert.ok(made.bytes > 0);
  const other = await indexed("--rebuild", "--since", "2026-11-23");
  assert.match(other.stderr, /^removed 0 manifests: /);
  assert.match((await indexed("--rebuild")).stderr, /^removed 1 manifest: agents make them anew/);
  assert.equal((await indexed()).rows[0].manifests, 0);
  const none = await logvend("index", "-c", config, "--region", "us");
  assert.equal(none.stdout, "Nothing is archived of that\n");
});

Deno.test("archive verify names what is wrong: cut, overwritten, misplaced", async () => {
  await using folder = await TempFolder.make();
  const { config, objects } = await scene(folder);
  const right = await logvend("verify", "-c", config);
  assert.equal(right.code, 0, right.stderr);
  assert.match(right.stderr, /all right: 3 chunks, 9 rows, .*; read footers/);
  const keys = (await Array.fromAsync(objects.list("stream=", signal))).map(({ key }) => key);
  const [cut = "", overwritten = "", good = ""] = keys;
  await Deno.truncate(folder.join("archive", cut), 1_500);
  const garbage = new TextEncoder().encode("no Parquet at all, and not at all short either");
  await objects.put({ key: overwritten, body: garbage, sha256: sha256Hex(garbage) }, signal);
  const misplaced = good.replace(/[0-9a-f]{16}/, "0123456789abcdef");
  await Deno.copyFile(folder.join("archive", good), folder.join("archive", misplaced));
  const stray = good.replace("/web-1.", "/web-7.");
  await Deno.copyFile(folder.join("archive", good), folder.join("archive", stray));
  const wrong = await logvend("verify", "-c", config);
  assert.equal(wrong.code, 75);
  const lines = wrong.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 4, wrong.stdout);
  assert.match(wrong.stdout, new RegExp(`${cut}: no chunk`));
  assert.match(wrong.stdout, new RegExp(`${overwritten}: (no chunk|it has no footer)`));
  assert.match(wrong.stdout, new RegExp(`${misplaced}: it is the chunk `));
  assert.match(wrong.stdout, new RegExp(`${stray}: it is a copy of a chunk of web-1, under`));
  assert.match(wrong.stderr, /^4 wrong: 5 chunks/m);
  const json = await logvend("verify", "-c", config, "-o", "json");
  assert.equal(json.code, 75);
  const { wrong: named, ...sums } = JSON.parse(json.stdout);
  assert.deepEqual(
    named.map(({ key, problem }: Record<string, string>) => `${key}: ${problem}`),
    lines,
  );
  assert.deepEqual([sums.chunks, sums.content], [5, false]);
});

Deno.test("an archive of several that does not answer is said, and the others are read", async () => {
  await using folder = await TempFolder.make();
  await scene(folder);
  const nobody = `{ url: "s3://acme-logs/prod", endpoint: "http://127.0.0.1:9", path_style: true,
    credentials: { access_key_id: { file: ./key }, secret_access_key: { file: ./key } } }`;
  await folder.write("key", "a-key");
  const config = await folder.write(
    "two.yaml",
    `data_dir: ./o\narchives: [ ${nobody}, { url: "file:./archive" } ]\n`,
  );
  const away = /^left out: Cannot list stream=\S* in s3:\/\/acme-logs\/prod: no answer from http:/;
  const stat = await logvend("stat", "-c", config, "-o", "json");
  assert.equal(stat.code, 75);
  assert.match(stat.stderr, away);
  assert.match(
    stat.stderr,
    /is it up, and its endpoint \(archives: in orchestrator\.yaml\) right\?/,
  );
  assert.equal(JSON.parse(stat.stdout).sums[0].chunks, 3);
  const verified = await logvend("verify", "-c", config);
  assert.equal(verified.code, 75);
  assert.match(verified.stderr, away);
  assert.match(verified.stderr, /^all right: 3 chunks, 9 rows/m);
  const restored = await logvend("restore", "-c", config);
  assert.equal(restored.code, 75);
  assert.match(restored.stderr, away);
  assert.equal(restored.stderr.match(/left out/g)?.length, 1);
  assert.equal(restored.stdout.trimEnd().split("\n").length, 9);
  const alone = await folder.write("one.yaml", `data_dir: ./o\narchives: [ ${nobody} ]\n`);
  assert.equal((await logvend("ls", "-c", alone)).code, 69);
});

Deno.test("a folder that is not there is no empty archive: it may not be mounted", async () => {
  await using folder = await TempFolder.make();
  await scene(folder);
  const nowhere = '{ url: "file:./nowhere" }';
  const alone = await folder.write("one.yaml", `data_dir: ./o\narchives: [ ${nowhere} ]\n`);
  const missing =
    /Cannot use file:\/.*\/nowhere: there is no such folder here; mount it, make it, or correct its url/;
  for (const command of ["ls", "verify", "index", "restore"]) {
    const { code, stdout, stderr } = await logvend(command, "-c", alone);
    assert.deepEqual([code, stdout], [78, ""], command);
    assert.match(stderr, missing);
  }
  const config = await folder.write(
    "two.yaml",
    `data_dir: ./o\narchives: [ ${nowhere}, { url: "file:./archive" } ]\n`,
  );
  const verified = await logvend("verify", "-c", config);
  assert.equal(verified.code, 75);
  assert.match(verified.stderr, /^left out: Cannot use file:/);
  assert.match(verified.stderr, /^all right: 3 chunks/m);
});

Deno.test("validate says of an agent's archive whether its folder is there", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write(
    "agent.yaml",
    'data_dir: ./data\narchive: { url: "file:./archive" }\nstreams: [ { name: logs, files: [ a.log ] } ]\n',
  );
  const args = ourProgram("agent/main.ts", "validate", "-c", config);
  const missing = await runProgram({ args });
  assert.equal(missing.code, 0, missing.stderr);
  assert.match(
    missing.stdout,
    /^archive file:\/.*: no such folder yet, the first upload makes it$/m,
  );
  await Deno.mkdir(folder.join("archive"));
  assert.match((await runProgram({ args })).stdout, /^archive file:\/.*: can be listed$/m);
});

Deno.test("verify that is cancelled says nothing of the chunk that it was at", async () => {
  await using folder = await TempFolder.make();
  const { objects } = await scene(folder);
  const stop = new AbortController();
  class Ending extends FolderStore {
    override get(...args: Parameters<FolderStore["get"]>) {
      stop.abort(new Error("cancelled"));
      return super.get(...args);
    }
  }
  const store = new Ending(folder.join("archive"));
  for await (const object of objects.list("stream=", signal)) {
    const place = parseChunkPath(object.key);
    assert.ok(place !== null);
    const chunk = { store, object, place, isSuperseded: false };
    await assert.rejects(verifyChunk(chunk, { content: true }, stop.signal), /^Error: cancelled$/);
  }
});

Deno.test("a chunk that has to be thawed first is named by verify, like one that is damaged", async () => {
  await using folder = await TempFolder.make();
  const { objects } = await scene(folder);
  class Frozen extends FolderStore {
    override get(): never {
      throw new ObjectStoreError("refused", "it has to be thawed first", "S3 403");
    }
  }
  const store = new Frozen(folder.join("archive"));
  for await (const object of objects.list("stream=", signal)) {
    const place = parseChunkPath(object.key);
    assert.ok(place !== null);
    const chunk = { store, object, place, isSuperseded: false };
    const { problem } = await verifyChunk(chunk, { content: true }, signal);
    assert.equal(problem, "it has to be thawed first");
  }
});

Deno.test("Ctrl-C ends a command that waits for an archive; no host has heard of it", async () => {
  await using folder = await TempFolder.make();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await folder.write("key", "a-key");
  const config = await folder.write(
    "orchestrator.yaml",
    `data_dir: ./o\narchives: [ { url: "s3://acme/logs", path_style: true,
      endpoint: "http://127.0.0.1:${listener.addr.port}",
      credentials: { access_key_id: { file: ./key }, secret_access_key: { file: ./key } } } ]\n`,
  );
  const args = ourProgram("orchestrator/main.ts", "archive", "verify", "-c", config);
  await using program = startProgram({ args });
  using _silent = await listener.accept();
  program.kill("SIGINT");
  const { code, stdout, stderr } = await program.ended();
  assert.deepEqual([code, stdout], [130, ""]);
  assert.match(stderr, /^(Cancelled\n)?$/); // its last words have a limit, which counts on
});

Deno.test("without an archive in the configuration the commands say how to name one", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write("orchestrator.yaml", "data_dir: ./o\n");
  const { code, stderr } = await logvend("ls", "-c", config);
  assert.equal(code, 78);
  assert.match(stderr, /names no archive: add archives: \[ \{ url: "s3:\/\/BUCKET\/PREFIX" \} \]/);
});

Deno.test({
  name: "archive policy is enough for an agent, which cannot delete; verify reads checksums",
  ignore: CEPH_IS_MISSING,
  async fn() {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();
    const bucket = await makeBucket(ceph, folder);
    await using host = await makeHost(folder);
    await host.seal(2);
    const url = `s3://${bucket.name}/logs`;
    const printed = await logvend("policy", url, "--region", "eu", "--only", "policy");
    assert.equal(printed.code, 0, printed.stderr);
    const file = await folder.write("policy.json", printed.stdout);
    await ceph.admin(
      ...["user", "create", "--uid=agent", "--display-name=agent"],
      ...["--access-key=agent-key", "--secret=agent-secret"],
    );
    await bucket.allow("agent", JSON.parse(await Deno.readTextFile(file)));
    {
      await using admin = await bucket.open();
      const body = new TextEncoder().encode('{ "where": "", "token": "of an operator" }');
      await admin.put({ key: "erasures/1.json", body, sha256: sha256Hex(body) }, signal);
    }
    await Deno.writeTextFile(bucket.keyFile, "agent-key");
    await Deno.writeTextFile(bucket.secretFile, "agent-secret");
    await using objects = await bucket.open();
    await host.archive(objects).uploadAll(AbortSignal.timeout(180_000));
    assert.equal(host.store.archiveBook.backlog().chunks, 0);
    assert.deepEqual(await erasuresSeen(objects), ["of an operator"]);
    const [chunk] = await Array.fromAsync(objects.list("stream=", signal));
    await assert.rejects(objects.remove(chunk?.key ?? "", signal), /access denied/);
    const body = new Uint8Array(1);
    const elsewhere = { key: "elsewhere", body, sha256: sha256Hex(body) };
    await assert.rejects(objects.put(elsewhere, signal), /access denied/);
    const config = await folder.write(
      "orchestrator.yaml",
      `data_dir: ./o
archives:
  - url: ${url}
    endpoint: ${ceph.endpoint}
    path_style: true
    credentials: { access_key_id: { file: ${bucket.keyFile} }, secret_access_key: { file: ${bucket.secretFile} } }
`,
    );
    const verified = await logvend("verify", "--content", "-c", config);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    assert.match(verified.stderr, /all right: 2 chunks, 6 rows, .*; read checksums and footers/);
  },
});

/** What an agent finds of erasures, with its rights. */
async function erasuresSeen(objects: ObjectStore): Promise<string[]> {
  const seen: string[] = [];
  await new ArchivedErasures(objects, ({ token }) => {
    seen.push(token);
    return Promise.resolve();
  }).look(signal);
  return seen;
}
