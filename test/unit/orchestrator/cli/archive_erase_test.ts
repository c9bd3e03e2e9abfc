/** What an orchestrator shows as an erasure is done in archives only if it is the one that was named. */
import assert from "node:assert/strict";
import { signErasure } from "../../../../orchestrator/access/sign.ts";
import { createKeyFile, readKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { eraseCommand } from "../../../../orchestrator/cli/archive_erase.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { erasureKey } from "../../../../protocol/signing/erasure.ts";
import { CapturedTerminal } from "../../../harness/captured_terminal.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const RANGE = { since: "2026-11-22T18:00:00.000Z", until: "2026-11-22T20:00:00.000Z" };

/** An orchestrator that shows the second of two signed erasures, and archives in folders. */
async function scene(archives: readonly string[]) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const publicKey = await createKeyFile(folder.join("key"));
  const key = await readKeyFile(folder.join("key"));
  const urls = archives.map((name) => `{ url: "file:${folder.join(name)}" }`);
  const config = await folder.write(
    "orchestrator.yaml",
    `fleet: own\ndata_dir: .\ntrust_erase: [ "${publicKey}" ]\narchives: [ ${urls.join(", ")} ]\n`,
  );
  const what = { where: "", stream: "logs", ...RANGE, columns: [], selector: "" };
  const [asked, other] = await Promise.all(
    [1, 2].map(() => signErasure({ ...what, fleet: "own", key, nowMs: Date.now() })),
  );
  assert.ok(asked !== undefined && other !== undefined);
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    seen.push(request.method);
    const { id, record } = other;
    const rest = { operator: publicKey, issued_at: RANGE.since, sql: "", selector: "", hosts: [] };
    return Response.json({ id, record, ...rest });
  });
  stack.defer(() => server.shutdown());
  const resume = async (name: string) => {
    const terminal = new CapturedTerminal();
    const options = { config, stream: "logs", wait: "1s", resume: name, output: "json" } as const;
    const client = new ApiClient(`http://127.0.0.1:${server.addr.port}`);
    const code = await eraseCommand({ options, client, terminal });
    return { code, said: terminal.stderr, archives: JSON.parse(terminal.stdout).archives };
  };
  const owned = stack.move();
  return { folder, asked, other, seen, resume, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

Deno.test("another erasure than the one that is resumed is not done, though it was signed once", async () => {
  await using here = await scene(["archive"]);
  const { folder, asked, other, seen, resume } = here;
  await Deno.mkdir(folder.join("archive"));
  await assert.rejects(resume(asked.id), new RegExp(`has another erasure \\(${other.id}\\) for`));
  assert.deepEqual(seen, ["GET"]);
  assert.equal((await resume(other.id.slice(0, 8))).code, 0);
  assert.equal(seen.at(-1), "POST", "what was read meanwhile is forgotten");
});

Deno.test("an archive that cannot be worked on is named, and the others are done", async () => {
  await using here = await scene(["one", "two"]);
  const { folder, other: { id }, resume } = here;
  await Deno.mkdir(folder.join("two"));
  const { code, said, archives } = await resume(id);
  assert.equal(code, 75);
  const [one, two] = [folder.join("one"), folder.join("two", erasureKey(id))];
  assert.deepEqual(archives.undone.map(({ url }: { url: string }) => url), [`file:${one}`]);
  assert.ok(said.includes(`file:${one} is not done: Cannot `), said);
  assert.ok(said.includes(`to go on with archives: logvend archive erase --resume ${id}`), said);
  assert.ok((await Deno.stat(two)).isFile);
  await Deno.mkdir(one);
  const again = await resume(id);
  assert.equal(again.code, 0, again.said);
  assert.deepEqual(again.archives.undone, []);
  assert.ok((await Deno.stat(`${one}/${erasureKey(id)}`)).isFile);
});
