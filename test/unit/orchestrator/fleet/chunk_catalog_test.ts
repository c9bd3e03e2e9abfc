/** chunk_catalog.ts: hosts are ruled out by what they say, and only while that is all known. */
import assert from "node:assert/strict";
import { seal } from "../../../../protocol/wire/envelope.ts";
import type { DayHoldings, HostHoldings } from "../../../../protocol/wire/holdings.ts";
import { ChunkCatalog } from "../../../../orchestrator/fleet/chunk_catalog.ts";
import { eventually } from "../../../harness/eventually.ts";

const DAY = "2026-11-20";
const OPEN_FROM = "2026-11-22T18:00:00.000Z";

function us(iso: string): number {
  return Date.parse(iso) * 1_000;
}

/** One chunk of `logs` from 10:00 to 10:59 of the day. */
function day(more: Partial<DayHoldings> = {}): DayHoldings {
  const [first, last] = [us(`${DAY}T10:00:00Z`), us(`${DAY}T10:59:00Z`)];
  return {
    day: DAY,
    digest: "d1",
    chunks: { logs: [["00000000000000aa", 7, 700, first, last]] },
    marks: [],
    ...more,
  };
}

function statement(more: Partial<HostHoldings> = {}): HostHoldings {
  return { version: "v1", open_from: OPEN_FROM, own_rows: true, days: { [DAY]: "d1" }, ...more };
}

/** A catalog of one host, and what it was asked for. */
class Scene implements Disposable {
  readonly asked: string[][] = [];
  isOnline = true;
  nowMs = 0;
  catalog: ChunkCatalog;

  constructor(chunksMax?: number) {
    this.catalog = new ChunkCatalog({
      ask: (_, days) => this.asked.push(days),
      isOnline: () => this.isOnline,
      now: () => this.nowMs,
      ...(chunksMax === undefined ? {} : { chunksMax }),
    });
  }

  say(body: HostHoldings) {
    this.catalog.receiveHoldings("web-1", seal({ type: "holdings", body, issuedAtMs: 0 }));
  }

  tell(body: DayHoldings) {
    this.catalog.receiveDay("web-1", seal({ type: "day", body, issuedAtMs: 0 }));
  }

  /** Whether it may hold rows of a table between two times of the day; null: no end. */
  may(from: string | null, to: string | null, { version = "v1", table = "logs" } = {}): boolean {
    const [since, until] = [from, to].map((time) => time === null ? null : `${DAY}T${time}:00Z`);
    const read = { tables: [table], since: since ?? null, until: until ?? null };
    return this.catalog.mayHold("web-1", version, read);
  }

  [Symbol.dispose]() {
    this.catalog[Symbol.dispose]();
  }
}

Deno.test("a host is ruled out where it has no chunk, and never from where it is open", () => {
  using scene = new Scene();
  scene.say(statement());
  scene.tell(day());
  assert.equal(scene.may("09:00", "10:00"), false);
  assert.equal(scene.may("10:30", "10:31"), true);
  assert.equal(scene.may("10:59", "23:00"), true);
  assert.equal(scene.may("11:00", "23:00"), false);
  assert.equal(scene.may("10:30", "10:31", { table: "api" }), false);
  assert.equal(scene.may("10:30", "10:31", { table: "accounting" }), true);
  assert.equal(scene.may("11:00", null), true);
  assert.equal(scene.may(null, "10:00"), false);
  const read = { tables: ["logs"], since: null, until: "2026-11-22T18:00:00.000Z" };
  const later = { ...read, since: "2026-11-21T00:00:00Z" };
  assert.equal(scene.catalog.mayHold("web-1", "v1", later), false);
  const reaching = { ...later, until: "2026-11-22T18:00:00.001Z" };
  assert.equal(scene.catalog.mayHold("web-1", "v1", reaching), true);
  assert.equal(scene.catalog.mayHold("web-9", "v1", later), true);
});

Deno.test("rejects, gaps and losses are answers too", () => {
  using scene = new Scene();
  scene.say(statement());
  const at = (time: string) => us(`${DAY}T${time}:00Z`);
  scene.tell(day({
    chunks: { rejects: [["00000000000000bb", 1, 1, at("03:00"), at("03:00")]] },
    marks: [["api", at("05:00"), at("05:10")], [null, at("07:00"), at("07:00")]],
  }));
  assert.equal(scene.may("02:00", "03:00"), false);
  assert.equal(scene.may("03:00", "03:01"), true);
  assert.equal(scene.may("05:00", "06:00"), false);
  assert.equal(scene.may("05:00", "06:00", { table: "api" }), true);
  assert.equal(scene.may("07:00", "08:00"), true);
});

Deno.test("another version, days that are lost or late, and what cannot be read: the host is asked", () => {
  using scene = new Scene();
  scene.say(statement());
  assert.equal(scene.may("09:00", "10:00"), true); // the day is not there yet
  assert.equal(scene.may("09:00", "10:00"), true);
  scene.tell(day());
  scene.tell(day({ digest: "d0", chunks: {} })); // an old one, late: nobody waits for it
  assert.equal(scene.may("10:00", "11:00"), true);
  assert.equal(scene.may("09:00", "10:00"), false);
  assert.equal(scene.may("09:00", "10:00", { version: "v2" }), true);
  scene.say(statement());
  assert.equal(scene.may("09:00", "10:00"), false); // said twice
  scene.say(statement({ version: "v2", days: { [DAY]: "d2" } }));
  assert.equal(scene.may("09:00", "10:00", { version: "v1" }), true);
  assert.equal(scene.may("09:00", "10:00", { version: "v2" }), true);
  scene.tell(day({ digest: "d2", chunks: null })); // too many to say
  assert.equal(scene.may("09:00", "10:00", { version: "v2" }), true);
  scene.say(statement({ version: "v3", days: {} }));
  assert.equal(scene.may("09:00", "10:00", { version: "v3" }), false);
  scene.say(statement({ version: "v4", open_from: null, days: {} }));
  assert.equal(scene.may("09:00", "10:00", { version: "v4" }), true);
  scene.say(statement());
  scene.catalog.receiveHoldings("web-1", new TextEncoder().encode("{"));
  assert.equal(scene.may("09:00", "10:00"), true);
});

Deno.test("days are asked for newest first, some at a time, and again when nothing comes", async () => {
  using scene = new Scene();
  const days = Array.from({ length: 10 }, (_, i) => `2026-11-${10 + i}`);
  scene.say(statement({ days: Object.fromEntries(days.map((name) => [name, "d1"])) }));
  assert.deepEqual(scene.asked, [days.slice(2).reverse()]);
  for (const name of days.slice(3)) scene.tell(day({ day: name }));
  assert.equal(scene.asked.length, 1); // one is lost
  scene.nowMs += 5_000;
  await eventually(() => scene.asked.length === 2);
  assert.deepEqual(scene.asked[1], days.slice(0, 3).reverse());
  for (const name of days.slice(0, 3)) scene.tell(day({ day: name }));
  scene.isOnline = false;
  scene.say(statement({ version: "v2" }));
  assert.equal(scene.asked.length, 2);
});

Deno.test("chunks beyond the limit are not kept: their days stay unknown", () => {
  using scene = new Scene(1);
  const [other, version] = ["2026-11-19", "v1"];
  scene.say(statement({ days: { [DAY]: "d1" } }));
  scene.tell(day());
  scene.say(statement({ version, days: { [DAY]: "d1", [other]: "d1" } }));
  assert.equal(scene.asked.length, 1);
  const read = { tables: ["logs"], since: `${other}T00:00:00Z`, until: `${other}T01:00:00Z` };
  assert.equal(scene.catalog.mayHold("web-1", version, read), true);
  assert.equal(scene.may("09:00", "10:00"), false);
});

Deno.test("what will be read is added up, of what is known", () => {
  using scene = new Scene();
  const read = { tables: ["logs"], since: `${DAY}T10:00:00Z`, until: `${DAY}T11:00:00Z` };
  const nothing = { chunks: 0, rows: 0, bytes: 0 };
  const check = (expected: unknown) =>
    assert.deepEqual(scene.catalog.estimate("web-1", read), expected);
  check({ ...nothing, isOpen: true, isKnown: false });
  scene.say(statement());
  check({ ...nothing, isOpen: false, isKnown: false });
  scene.tell(day());
  check({ chunks: 1, rows: 7, bytes: 700, isOpen: false, isKnown: true });
});

Deno.test("the hours that a host has sealed are known, once it has said of their day", () => {
  using scene = new Scene();
  const has = (hour: string, stream = "logs") => scene.catalog.hasHour("web-1", stream, hour);
  assert.equal(has(`${DAY}T10`), false); // nothing is known of the host
  scene.say(statement());
  assert.equal(has(`${DAY}T10`), true); // it has something of the day
  scene.tell(day());
  assert.equal(has(`${DAY}T10`), true);
  assert.equal(has(`${DAY}T11`), false);
  assert.equal(has(`${DAY}T10`, "api"), false);
  assert.equal(has("2026-11-19T10"), false);
});

Deno.test("what the archive has of a host is known as far as it has said", () => {
  using scene = new Scene();
  const read = { tables: ["logs"], since: `${DAY}T00:00:00Z`, until: `${DAY}T23:00:00Z` };
  const { catalog } = scene;
  assert.deepEqual([catalog.hours("web-1", read), catalog.archivedToMs("web-1", 9)], [null, null]);
  scene.say(statement({ unarchived_from: null }));
  assert.equal(catalog.hours("web-1", read), null); // its day is not known yet
  assert.equal(catalog.archivedToMs("web-1", 9), 9); // all, up to its goodbye
  assert.equal(catalog.archivedToMs("web-1", null), Date.parse(OPEN_FROM));
  scene.say(statement({ unarchived_from: `${DAY}T12:00:00.000Z`, gone_until: OPEN_FROM }));
  assert.equal(catalog.archivedToMs("web-1", null), Date.parse(`${DAY}T12:00:00Z`));
  scene.tell(day());
  const openMs = Date.parse(OPEN_FROM);
  assert.deepEqual(catalog.hours("web-1", read), {
    hours: [{ stream: "logs", hour: `${DAY}T10` }],
    openFromMs: openMs,
    goneUntilMs: openMs,
  });
  assert.deepEqual(catalog.hours("web-1", { ...read, tables: ["api"] })?.hours, []);
});

Deno.test("a host that is gone held what it said last, and what may have come until it went", () => {
  using scene = new Scene();
  const endMs = Date.parse("2026-11-22T19:00:00Z");
  const held = (since: string | null, until: string | null) =>
    scene.catalog.mayHaveHeld("web-1", endMs, { tables: ["logs"], since, until });
  assert.equal(held("2026-11-22T19:00:01Z", null), false);
  assert.equal(held("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"), true);
  scene.say(statement());
  scene.tell(day());
  assert.equal(held("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"), false);
  assert.equal(held("2026-11-21T00:00:00Z", null), true);
  assert.equal(held(`${DAY}T10:00:00Z`, `${DAY}T11:00:00Z`), true);
  assert.equal(held("2026-11-22T19:00:01Z", null), false);
});
