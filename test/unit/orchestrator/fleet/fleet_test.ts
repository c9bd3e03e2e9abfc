/** fleet.ts: online by presence and lease, named when offline, also after a restart. */
import assert from "node:assert/strict";
import { seal } from "../../../../protocol/wire/envelope.ts";
import type { Presence } from "../../../../protocol/wire/messages.ts";
import { parseSelector } from "../../../../protocol/selector/selector.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { Fleet } from "../../../../orchestrator/fleet/fleet.ts";
import { openDatabase } from "../../../../orchestrator/state/database.ts";
import { HostTable } from "../../../../orchestrator/state/hosts.ts";
import { eventually } from "../../../harness/eventually.ts";

const START_MS = Date.parse("2026-11-22T10:00:00Z");

function presence(host: string, more: Partial<Presence> = {}): Presence {
  return {
    host,
    region: "eu-west-1",
    labels: { service: "web-server" },
    version: "0.1.0",
    plan_versions: [PLAN_VERSION],
    commands: [],
    streams: ["logs"],
    state: "online",
    boot: "6f2c1bb0-0000-4000-8000-000000000001",
    lease_ms: 20_000,
    ...more,
  };
}

/** A fleet on a database in a fresh folder, at a clock that tests move. */
class Scene implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly gone: string[] = [];
  nowMs = START_MS;
  private database = openDatabase(this.folder);
  fleet = this.start();

  say(body: Presence, { retainedMs }: { retainedMs?: number } = {}) {
    const payload = seal({ type: "presence", body, issuedAtMs: retainedMs ?? this.nowMs });
    this.fleet.receive(body.host, payload, retainedMs !== undefined);
  }

  restart() {
    this.fleet[Symbol.dispose]();
    this.database.close();
    this.database = openDatabase(this.folder);
    this.fleet = this.start();
  }

  state(host: string) {
    const { state, seenMs } = this.fleet.get(host) ?? {};
    return { state, seenMs };
  }

  private start() {
    return new Fleet({
      table: new HostTable(this.database),
      now: () => this.nowMs,
      onGone: (host) => this.gone.push(host),
    });
  }

  [Symbol.dispose]() {
    this.fleet[Symbol.dispose]();
    this.database.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("a host is online from its presence to its last will, and then silent since the will", () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  assert.deepEqual(scene.state("web-1"), { state: "online", seenMs: START_MS });
  scene.nowMs += 7_000;
  scene.say(presence("web-1", { state: "offline" }));
  assert.deepEqual(scene.state("web-1"), { state: "offline", seenMs: START_MS + 7_000 });
  assert.deepEqual(scene.gone, ["web-1"]);
});

Deno.test("a host without a heartbeat goes offline when its lease is over", async () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  scene.nowMs += 20_000;
  await eventually(() => scene.state("web-1").state === "offline");
  assert.deepEqual(scene.state("web-1"), { state: "offline", seenMs: START_MS });
  assert.deepEqual(scene.gone, ["web-1"]);
});

Deno.test("after a restart hosts are offline until heard, and keep when they were last seen", () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  scene.nowMs += 1_000;
  scene.restart();
  assert.deepEqual(scene.state("web-1"), { state: "offline", seenMs: START_MS });
  scene.say(presence("web-1", { state: "offline" }), { retainedMs: START_MS - 60_000 });
  assert.deepEqual(scene.state("web-1"), { state: "offline", seenMs: START_MS });
  scene.say(presence("web-1"));
  assert.equal(scene.state("web-1").state, "online");
});

Deno.test("a retained presence counts by its age, not by when it is read", () => {
  using scene = new Scene();
  scene.say(presence("web-1"), { retainedMs: START_MS - 5_000 });
  assert.deepEqual(scene.state("web-1"), { state: "online", seenMs: START_MS - 5_000 });
  scene.say(presence("web-2"), { retainedMs: START_MS - 60_000 });
  assert.deepEqual(scene.state("web-2"), { state: "offline", seenMs: START_MS - 60_000 });
  scene.say(presence("web-3", { state: "offline" }), { retainedMs: START_MS - 60_000 });
  assert.deepEqual(scene.state("web-3"), { state: "offline", seenMs: null });
});

Deno.test("a host that restarted has lost what it was doing", () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  scene.say(presence("web-1"));
  assert.deepEqual(scene.gone, []);
  scene.say(presence("web-1", { boot: "6f2c1bb0-0000-4000-8000-000000000002" }));
  assert.deepEqual(scene.gone, ["web-1"]);
  assert.equal(scene.state("web-1").state, "online");
});

Deno.test("what a host holds is known while it is there, and after its goodbye", async () => {
  using scene = new Scene();
  const held = () => scene.fleet.get("web-1")?.holdings;
  scene.say(presence("web-1", { holdings: "v1" }));
  assert.equal(held(), "v1");
  scene.say(presence("web-1", { state: "offline", holdings: "v2" }));
  assert.equal(held(), "v2");
  scene.say(presence("web-1", { holdings: "v3" }));
  scene.say(presence("web-1", { state: "offline" })); // a last will
  assert.equal(held(), null);
  scene.say(presence("web-1", { holdings: "v3" }), { retainedMs: START_MS - 60_000 });
  assert.equal(held(), "v3");
  scene.nowMs += 20_000;
  await eventually(() => held() === null); // its lease is over
  scene.say(presence("web-1", { holdings: "v3" }));
  scene.restart();
  assert.equal(held(), null);
});

Deno.test("an offline host keeps the figures it sent last", () => {
  using scene = new Scene();
  const stats = {
    lines_per_s: 9,
    behind_bytes: 0,
    behind_ms: 0,
    rejects: 12,
    stored_bytes: 5,
    open_rows: 3,
    open_bytes: 4,
    archive: null,
  };
  scene.say(presence("web-1", { stats }));
  scene.say(presence("web-1", { state: "offline" }));
  assert.equal(scene.fleet.get("web-1")?.presence.stats?.rejects, 12);
});

Deno.test("hosts are selected by label, host and region, offline ones too", () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  scene.say(presence("web-2", { region: "us-east-1", state: "offline" }));
  scene.say(presence("db-1", { labels: { service: "database" } }));
  const select = (text: string) =>
    scene.fleet.select(parseSelector(text)).map((host) => host.presence.host);
  assert.deepEqual(select(""), ["db-1", "web-1", "web-2"]);
  assert.deepEqual(select("service = web-server"), ["web-1", "web-2"]);
  assert.deepEqual(select("region = eu-west-1 and host != db-1"), ["web-1"]);
});

Deno.test("a presence that is malformed or speaks for another host changes nothing", () => {
  using scene = new Scene();
  scene.fleet.receive("web-1", new TextEncoder().encode("{"), false);
  const other = seal({ type: "presence", body: presence("web-2"), issuedAtMs: START_MS });
  scene.fleet.receive("web-1", other, false);
  assert.deepEqual(scene.fleet.list(), []);
});

Deno.test("a table has the columns of all hosts, wide enough for each", () => {
  using scene = new Scene();
  const tables = (host: string, columns: { name: string; type: string }[]) => {
    const body = { tables: [{ name: "app", columns }] };
    const payload = seal({ type: "tables", body, issuedAtMs: START_MS });
    scene.fleet.receiveTables(host, payload);
  };
  scene.say(presence("web-1", { streams: ["app"] }));
  scene.say(presence("web-2", { streams: ["app"] }));
  tables("web-1", [{ name: "ts", type: "TIMESTAMP" }, { name: "code", type: "BIGINT" }]);
  tables("web-2", [{ name: "Code", type: "VARCHAR" }, { name: "user", type: "VARCHAR" }]);
  const app = () => scene.fleet.tables().find(({ name }) => name === "app")?.columns;
  const united = [
    { name: "ts", type: "TIMESTAMP" },
    { name: "code", type: "VARCHAR" },
    { name: "user", type: "VARCHAR" },
  ];
  assert.deepEqual(app(), united);
  tables("web-2", [{ name: "x", type: "INTEGER); SELECT secret; --" }]);
  assert.deepEqual(app(), united, "what is no type changes nothing");
  tables("web-2", [{ name: "x\0", type: "INTEGER" }]);
  assert.deepEqual(app(), united);
});

Deno.test("a host is retired by name or after 7 days of silence, and comes back by itself", async () => {
  using scene = new Scene();
  scene.say(presence("web-1"));
  scene.say(presence("web-2"));
  const retired = (host: string) => scene.fleet.get(host)?.retiredMs ?? null;
  assert.throws(() => scene.fleet.retire(["web-1"]), /web-1 is online: stop its agent first/);
  scene.say(presence("web-1", { state: "offline" }));
  assert.throws(() => scene.fleet.retire(["web-1", "web-9"]), /There is no host web-9/);
  assert.equal(retired("web-1"), null); // none of them was
  scene.fleet.retire(["web-1"]);
  assert.equal(retired("web-1"), START_MS);
  scene.nowMs += 7 * 86_400_000;
  scene.restart();
  scene.say(presence("web-3"));
  await eventually(() => retired("web-2") !== null);
  assert.deepEqual(["web-1", "web-2", "web-3"].map(retired), [START_MS, scene.nowMs, null]);
  scene.say(presence("web-2"));
  assert.equal(retired("web-2"), null);
});
