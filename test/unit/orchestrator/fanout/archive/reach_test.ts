import assert from "node:assert/strict";
import { reaches, reachOf, withArchive } from "../../../../../orchestrator/fanout/archive/reach.ts";
import type { HourRun } from "../../../../../protocol/archive/archived_hours.ts";
import { QueryClaims } from "../../../../../protocol/signing/claims.ts";
import { KnownHosts } from "./known_hosts.ts";

const NOW_MS = Date.parse("2026-11-22T20:10:00Z");

const CLAIMS = QueryClaims.parse({
  ...{ kind: "query", id: "7f3a2c00-0000-4000-8000-000000000000", selector: "region = eu" },
  ...{ sql_sha256: "0".repeat(64), source: "archive", now: new Date(NOW_MS).toISOString() },
  range: { since: null, until: null, implied: false },
  limits: { timeout_ms: 1_000, rows_max: 10, bytes_max: 10 },
  ...{ issued_at_ms: 0, expires_at_ms: 1 },
});

const at = (hour: number) => `2026-11-22T${String(hour).padStart(2, "0")}:00:00.000Z`;

/** A chunk for each hour of the 22nd. */
function run(host: string, from: number, until: number): HourRun {
  return { host, stream: "logs", fromMs: Date.parse(at(from)), hours: until - from, chunks: 1 };
}

async function scene() {
  const hosts = await KnownHosts.open();
  const { fleet, catalog } = hosts;
  /** A host that has sealed these hours, and archived them up to `unarchivedFrom`; null: all. */
  const say = (host: string, hours: readonly number[], unarchivedFrom: string | null) => {
    hosts.come(host, { holdings: "v1" });
    const days: Record<string, string> = hours.length === 0 ? {} : { "2026-11-22": "d1" };
    const said = { own_rows: true, open_from: at(20), days };
    hosts.hold(host, { ...said, unarchived_from: unarchivedFrom });
    const chunks = hours.map((hour): [string, number, number, number, number] => {
      const us = Date.parse(at(hour)) * 1_000;
      return [`c${hour}`, 10, 100, us, us + 1];
    });
    if (hours.length > 0) hosts.holdDay(host, "2026-11-22", chunks);
  };
  const ask = (hours: HourRun[], range: { since?: number; until?: number } = {}) =>
    reaches({
      ...{ fleet, catalog, claims: CLAIMS, nowMs: NOW_MS, isMissing: new Set(["missing"]) },
      read: {
        tables: ["logs"],
        since: range.since === undefined ? null : at(range.since),
        until: range.until === undefined ? null : at(range.until),
      },
      list: { chunks: [], hours, looked: 0, unread: [] },
    });
  return { say, ask, fleet, catalog, [Symbol.asyncDispose]: () => hosts[Symbol.asyncDispose]() };
}

Deno.test("an hour that is not archived yet is told, and no range that is archived to its end", async () => {
  await using world = await scene();
  world.say("web-1", [17, 18, 19], at(19));
  const archived = [run("web-1", 17, 19)];
  const lacks = [{ from: at(19), until: at(20) }];
  assert.deepEqual(world.ask(archived), [{ host: "web-1", until: at(19), lacks }]);
  assert.deepEqual(world.ask(archived, { until: 19 }), []);
  assert.deepEqual(world.ask(archived, { since: 19 }), [{ host: "web-1", until: null, lacks }]);
  world.say("web-1", [17, 18, 19], null);
  const whole = [run("web-1", 17, 20)];
  assert.deepEqual(world.ask(whole), [{ host: "web-1", until: at(20) }]);
  assert.deepEqual(world.ask(whole, { until: 20 }), []);
  // An hour between others that the host has sealed, and the archive lost.
  const [lost, from] = [[run("web-1", 17, 18), run("web-1", 19, 20)], at(18)];
  assert.deepEqual(world.ask(lost, { until: 20 }), [
    { host: "web-1", until: at(20), lacks: [{ from, until: at(19) }] },
  ]);
});

Deno.test("hosts of which nothing is archived, and hosts that nobody knows, are told too", async () => {
  await using world = await scene();
  world.say("web-1", [19], at(19));
  const lacks = [{ from: at(19), until: at(20) }];
  const gone = { host: "old-1", until: at(12) };
  assert.deepEqual(world.ask([run("old-1", 10, 12), run("missing", 10, 11)], { since: 10 }), [
    gone,
    { host: "web-1", until: at(19), lacks },
  ]);
  // A host that wrote nothing in hours that are over has nothing to archive.
  world.say("web-2", [], null);
  world.say("web-1", [19], null);
  assert.deepEqual(world.ask([run("web-1", 19, 20)], { since: 10, until: 20 }), []);
});

Deno.test("a host that left with a goodbye is archived up to it; days ago are told with their date", async () => {
  await using world = await scene();
  world.say("web-1", [17, 18, 19], null);
  const [seenMs, own] = [NOW_MS - 60_000, [run("web-1", 17, 20)]];
  const known = world.fleet.get("web-1");
  assert.ok(known !== undefined);
  const missing = { host: "web-1", kind: "offline" as const, reason: "silent" };
  const said = (own: HourRun[], { isCutOff = false, nowMs = NOW_MS } = {}) => {
    const holdings = isCutOff ? null : known.holdings;
    const read = { tables: ["logs"], since: null, until: null };
    const host = { ...known, state: "offline" as const, seenMs, holdings };
    const reach = reachOf({ ...world, read, nowMs }, host, { host: "web-1", own });
    return withArchive(missing, reach, { seenMs, nowMs });
  };
  const archived = { archived_until: new Date(seenMs).toISOString() };
  assert.deepEqual(said(own), {
    ...{ ...missing, ...archived, reason: "silent  archive used to 20:09" },
  });
  const cutOff = said(own, { isCutOff: true });
  assert.equal(cutOff.reason, "silent  archive used to 20:00, gap 20:00-20:09");
  assert.equal(cutOff.archived_until, at(20));
  const later = { isCutOff: true, nowMs: NOW_MS + 3 * 86_400_000 };
  assert.equal(
    said(own, later).reason,
    "silent  archive used to 2026-11-22 20:00, gap 2026-11-22 20:00-2026-11-22 20:09",
  );
  assert.equal(
    said([run("web-1", 17, 18), run("web-1", 19, 20)]).reason,
    "silent  archive used to 20:09, lacks 2026-11-22 18:00-19:00",
  );
});
