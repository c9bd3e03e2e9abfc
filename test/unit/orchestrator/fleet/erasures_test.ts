import assert from "node:assert/strict";
import { signErasure } from "../../../../orchestrator/access/sign.ts";
import type { ErasureStatus } from "../../../../orchestrator/api/events.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { erasuresBefore } from "../../../../orchestrator/fleet/erasures.ts";
import { openDatabase } from "../../../../orchestrator/state/database.ts";
import { ErasureTable } from "../../../../orchestrator/state/erasures.ts";
import type { HostErasure } from "../../../../protocol/wire/messages.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../../../protocol/signing/signature.ts";
import { eventually } from "../../../harness/eventually.ts";
import { FLEET } from "../../agent/erase/scene.ts";
import { STATS } from "../../agent/link/fleet.ts";
import { Scene } from "../scene.ts";

const { signal } = new AbortController();

const DONE = { state: "done", rows: 3, chunks: 1, archived: 1, reason: null } as const;

const trusting = (...eraseTrust: string[]) => ({ fleet: FLEET, eraseTrust });

async function signed(key: OperatorKey, selector = "", fleet = FLEET) {
  const { record } = await signErasure({
    fleet,
    where: "status = 500",
    stream: "logs",
    selector,
    since: "2026-11-22T18:00:00.000Z",
    until: "2026-11-22T20:00:00.000Z",
    columns: [{ name: "status", type: "INTEGER" }],
    key,
    nowMs: Date.now(),
  });
  return record;
}

/** How it goes on each host. */
function statesOf({ hosts }: ErasureStatus): Record<string, string> {
  return Object.fromEntries(hosts.map(({ host, state }) => [host, state]));
}

Deno.test("hosts are told until they are done, those that were away when they come; it outlives a restart", async () => {
  await using scene = await Scene.start();
  const said: Record<string, Omit<HostErasure, "id">[]> = {
    "web-1": [{ ...DONE, state: "working", rows: 1, archived: 0 }, DONE],
    "web-3": [DONE],
    "web-4": [{
      ...DONE,
      state: "refused",
      rows: 0,
      chunks: 0,
      archived: 0,
      reason: "no such key",
    }],
  };
  const told: string[] = [];
  const erase = (host: string) => () => {
    told.push(host);
    const states = said[host] ?? [];
    return (states.length > 1 ? states.shift() : states[0]) ?? DONE;
  };
  await scene.agent({ host: "web-1", erase: erase("web-1") });
  await scene.agent({ host: "web-2" });
  const away = await scene.agent({ host: "web-3", erase: erase("web-3") });
  await away.leave();
  await scene.hostIs("web-3", "offline");
  await scene.agent({ host: "web-4", erase: erase("web-4") });
  const client = new ApiClient(scene.orchestrator.url);
  const record = await signed(scene.key);
  const { id } = await client.erase({ record, signal });
  assert.equal((await client.erase({ record, signal })).id, id); // by who has done with archives
  await eventually(async () => statesOf(await client.erasure(id, signal))["web-1"] === "done");
  assert.deepEqual(statesOf(await client.erasure(id.slice(0, 8), signal)), {
    "web-1": "done",
    "web-2": "too_old",
    "web-3": "waiting",
    "web-4": "refused",
  });
  const [listed] = await client.erasures(signal);
  assert.equal(listed?.sql.startsWith("ERASE FROM logs WHERE ts >= '2026-11-22T18"), true);
  await scene.agent({ host: "web-3", erase: erase("web-3") });
  await eventually(async () => statesOf(await client.erasure(id, signal))["web-3"] === "done");
  assert.equal(told.filter((host) => host === "web-4").length, 1);
  const { queries } = await (await scene.get("/v1/queries")).json();
  assert.equal(queries[0].mode, "erase");
  const database = openDatabase(scene.dataFolder);
  const table = new ErasureTable(database);
  const before = await erasuresBefore({ table, trusted: trusting(scene.key.publicKey) });
  assert.deepEqual(before.map((erasure) => erasure.id), [id]);
  assert.deepEqual(await erasuresBefore({ table, trusted: trusting() }), []);
  assert.equal(table.hosts(id).get("web-1")?.state.rows, 3);
  database.close();
});

Deno.test("a host that comes with another data folder is told again of what it had done", async () => {
  await using scene = await Scene.start();
  const told: string[] = [];
  const comes = (folder: string, erasures: number) =>
    scene.agent({
      host: "web-1",
      erase: ({ id }) => (told.push(`${folder} ${id}`), DONE),
      presence: { stats: { ...STATS, erasures } },
    });
  const client = new ApiClient(scene.orchestrator.url);
  const erased = async () => {
    const { id } = await client.erase({ record: await signed(scene.key), signal });
    await eventually(async () => statesOf(await client.erasure(id, signal))["web-1"] === "done");
    return id;
  };
  const before = await comes("first", 0);
  const one = await erased();
  await before.leave();
  await scene.hostIs("web-1", "offline");
  const after = await comes("first", 1);
  const two = await erased();
  await after.leave();
  await scene.hostIs("web-1", "offline");
  await comes("second", 0);
  await eventually(() => told.length >= 4);
  assert.deepEqual(told, [`first ${one}`, `first ${two}`, `second ${one}`, `second ${two}`]);
});

Deno.test("only hosts that are selected are told, and only keys that may erase are heard, of this fleet", async () => {
  await using scene = await Scene.start();
  const told: string[] = [];
  for (const host of ["web-1", "web-2"]) {
    await scene.agent({ host, erase: () => (told.push(host), DONE) });
  }
  const client = new ApiClient(scene.orchestrator.url);
  const stranger = await readOperatorKey((await newOperatorKey()).pem);
  await assert.rejects(
    client.erase({ record: await signed(stranger), signal }),
    /refuses: key ed25519:\S+ may not erase here: name it in trust_erase/,
  );
  await assert.rejects(
    client.erase({ record: await signed(scene.key, "", "staging"), signal }),
    /refuses: it was signed for the fleet "staging", and this is "logvend"/,
  );
  const record = await signed(scene.key, "host = web-2");
  await assert.rejects(
    client.erase({ record: { ...record, where: "true" }, signal }),
    /the SQL is not the one that was signed/,
  );
  const { id } = await client.erase({ record, signal });
  await eventually(async () => statesOf(await client.erasure(id, signal))["web-2"] === "done");
  assert.deepEqual(Object.keys(statesOf(await client.erasure(id, signal))), ["web-2"]);
  assert.deepEqual(told, ["web-2"]);
});
