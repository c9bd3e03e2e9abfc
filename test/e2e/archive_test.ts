/** An agent that archives: what it says of it, and that it archives all when it goes for good. */
import assert from "node:assert/strict";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { eventually } from "../harness/eventually.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, startProgram } from "../harness/program.ts";
import { quietEvery } from "../harness/quiet_archive.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { archivedLines } from "../archive/scene.ts";

/** Lines of one second. */
const linesAt = (atMs: number) =>
  Array.from({ length: 100 }, (_, i) => combinedLineAt(atMs, i)).join("");

Deno.test("an agent's metrics say what waits for the archive; at its end it archives all", async () => {
  await using folder = await TempFolder.make();
  const port = freePort();
  const config = await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
flush_every: 200ms
seal_after: 100ms
drain_timeout: 10m
http: 127.0.0.1:${port}
archive: { url: "file:./archive", every: ${quietEvery(["web-1"])} }
streams: [ { name: logs, files: [ ./access.log ] } ]
`,
  );
  const past = linesAt(Date.parse("2026-11-20T10:00:00Z"));
  const open = linesAt(Date.now() + 1_800_000); // of an hour that is not over, whenever this is
  await folder.write("access.log", past + open);
  const args = ourProgram("agent/main.ts", "run", "-c", config);
  await using agent = startProgram({ args });
  await agent.waitForLine(/Agent .* reads/);
  const get = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  await eventually(async () => /^logvend_archive_waiting_chunks 1$/m.test(await get("/metrics")));
  const metrics = await get("/metrics");
  assert.match(metrics, /^logvend_archive_waiting_bytes [1-9]\d*$/m);
  assert.match(metrics, /^logvend_archive_failing 0$/m);
  assert.match(metrics, /^logvend_archived_chunks_total 0$/m);
  assert.deepEqual(JSON.parse(await get("/readyz")), { ready: true, reasons: [] });
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.ended();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Archived .*2 chunks/);
  await using objects = new FolderStore(folder.join("archive"));
  const written = (past + open).trimEnd().split("\n").sort();
  assert.deepEqual((await archivedLines(objects)).sort(), written);
});
