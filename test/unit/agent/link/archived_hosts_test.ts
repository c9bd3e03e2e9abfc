/** What a link says of the hosts of its archive: only who is asked, and only where there is one. */
import assert from "node:assert/strict";
import type { ArchivedHost } from "../../../../protocol/wire/archived_hosts.ts";
import { MESSAGE_BYTES_MAX, seal } from "../../../../protocol/wire/envelope.ts";
import { eventually } from "../../../harness/eventually.ts";
import { ORCHESTRATOR } from "./fleet.ts";
import { fleet } from "./linked.ts";

/** What comes when it is asked. */
async function told(archivedHosts: (() => Promise<ArchivedHost[]>) | undefined, count: number) {
  await using scene = await fleet(undefined, { archivedHosts });
  const { orchestrator: { archived, presences }, orchestrator } = scene;
  const request = crypto.randomUUID();
  orchestrator.command("archived_hosts", { request, orchestrator: ORCHESTRATOR });
  await eventually(() => archived.length === count);
  assert.ok(archived.every((message) => message.request === request));
  return { archived, commands: presences[0]?.commands.slice(3) };
}

Deno.test("an agent with an archive tells whom it has, however many and however long their names are", async () => {
  const hosts = Array.from({ length: 1_200 }, (_, i): ArchivedHost => {
    return [`${i}`.padEnd(128, "x"), "s".padEnd(63, "x"), 500_000, 500_001];
  });
  const { archived, commands } = await told(() => Promise.resolve(hosts), 3);
  assert.deepEqual(archived.flatMap((message) => message.hosts), hosts);
  assert.deepEqual(
    archived.map(({ total, problem }) => [total, problem]),
    Array(3).fill([1_200, null]),
  );
  const bytes = archived.map((body) => seal({ type: "archived", body, issuedAtMs: 0 }).length);
  assert.ok(Math.max(...bytes) < MESSAGE_BYTES_MAX, `${bytes}`);
  assert.deepEqual(commands, ["archive", "archived_hosts"]);
});

Deno.test("who cannot say it, or has no archive, says why", async () => {
  const failing = await told(() => Promise.reject(new Error("S3 503")), 1);
  assert.deepEqual(failing.archived.map(({ total, problem }) => [total, problem]), [[0, "S3 503"]]);
  const { archived, commands } = await told(undefined, 1);
  assert.deepEqual(archived.map(({ problem }) => problem), [
    "no archive is configured on this host",
  ]);
  assert.deepEqual(commands, []);
});
