/** What an orchestrator shows as an erasure is done in archives only if it is the one that was named. */
import assert from "node:assert/strict";
import { signErasure } from "../../../../orchestrator/access/sign.ts";
import { createKeyFile, readKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { eraseCommand } from "../../../../orchestrator/cli/archive_erase.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { CapturedTerminal } from "../../../harness/captured_terminal.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

Deno.test("another erasure than the one that is resumed is not done, though it was signed once", async () => {
  await using folder = await TempFolder.make();
  const publicKey = await createKeyFile(folder.join("key"));
  const key = await readKeyFile(folder.join("key"));
  await Deno.mkdir(folder.join("archive"));
  const config = await folder.write(
    "orchestrator.yaml",
    `fleet: own\ndata_dir: .\ntrust_erase: [ "${publicKey}" ]\narchives: [ { url: "file:${
      folder.join("archive")
    }" } ]\n`,
  );
  const range = { since: "2026-11-22T18:00:00.000Z", until: "2026-11-22T20:00:00.000Z" };
  const what = { where: "", stream: "logs", ...range, columns: [], selector: "" };
  const [asked, other] = await Promise.all(
    [1, 2].map(() => signErasure({ ...what, fleet: "own", key, nowMs: Date.now() })),
  );
  assert.ok(asked !== undefined && other !== undefined);
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    seen.push(request.method);
    const { id, record } = other;
    const rest = { operator: publicKey, issued_at: range.since, sql: "", selector: "", hosts: [] };
    return Response.json({ id, record, ...rest });
  });
  const resume = (name: string) =>
    eraseCommand({
      options: { config, stream: "logs", wait: "1s", resume: name },
      client: new ApiClient(`http://127.0.0.1:${server.addr.port}`),
      terminal: new CapturedTerminal(),
    });
  try {
    await assert.rejects(resume(asked.id), new RegExp(`has another erasure \\(${other.id}\\) for`));
    assert.deepEqual(seen, ["GET"]);
    assert.equal(await resume(other.id.slice(0, 8)), 0);
    assert.equal(seen.at(-1), "POST", "what was read meanwhile is forgotten");
  } finally {
    await server.shutdown();
  }
});
