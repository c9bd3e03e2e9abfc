/** Every question of the library has its answer, from one host and from several. */
import assert from "node:assert/strict";
import { askedSql, LIBRARY_NAMES, libraryQuery } from "../../../../queries/library/library.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { DEALS, Fleet, NOW } from "../fleet.ts";
import { TRAFFIC } from "./traffic.ts";

interface Case {
  parameters?: string[];
  rows: string[];
}

/** Counted by hand in traffic.ts. */
const CASES: Readonly<Record<string, Case>> = {
  totals: { rows: ["18 | 15130"] },
  requests_by_hour: { rows: ["17 | 4", "18 | 14"] },
  requests_by_status: {
    rows: [
      "200 | 7 | 38.89",
      "404 | 3 | 16.67",
      "429 | 2 | 11.11",
      "503 | 2 | 11.11",
      "304 | 1 | 5.56",
      "401 | 1 | 5.56",
      "403 | 1 | 5.56",
      "500 | 1 | 5.56",
    ],
  },
  requests_by_address: { rows: ["10.0.0.2 | 7", "10.0.0.1 | 6", "10.0.0.3 | 4"] },
  requests_by_user_agent: { parameters: ["least=5"], rows: ["curl/8.5 | 7", "firefox | 7"] },
  requests_by_path: {
    parameters: ["least=1"],
    rows: [
      "/api/users/:id | 5",
      "/shop/:id | 3",
      "/ | 2",
      "/admin | 2",
      "/wp-login.php | 2",
      "/café | 1",
      "/files/manual.pdf | 1",
      "/robots.txt | 1",
      "/shop/:id/%FF | 1",
    ],
  },
  requests_by_place: { rows: ["null | null | 8", "DE | Berlin | 6", "US | null | 4"] },
  bandwidth_by_address: {
    parameters: ["limit=3"],
    rows: [
      "10.0.0.1 | 14100 | 6 | 2350 | 93.19",
      "10.0.0.4 | 500 | 1 | 500 | 3.3",
      "10.0.0.3 | 340 | 4 | 85 | 2.25",
    ],
  },
  busy_addresses: { parameters: ["more_than=5"], rows: ["10.0.0.2 | 7", "10.0.0.1 | 6"] },
  first_seen_addresses: {
    parameters: ["within=31m"],
    rows: ["10.0.0.4 | 2026-11-22 18:59:00 | 1 | 0", "10.0.0.3 | 2026-11-22 18:30:00 | 4 | 2"],
  },
  address_history: {
    parameters: ["address=10.0.0.3", "limit=2"],
    rows: [
      "2026-11-22 18:30:40 | web-2 | GET | /api/users/2 | 503 | 10 | ExampleBot/1.0",
      "2026-11-22 18:30:02 | web-1 | GET | /api/users/2 | 503 | 10 | ExampleBot/1.0",
    ],
  },
  bots: { rows: ["curl/8.5 | 7 | 0 | 7 | 190", "ExampleBot/1.0 | 4 | 1 | 2 | 340"] },
  api_requests: { rows: ["/api/users/1 | 3 | 2", "/api/users/2 | 2 | 2"] },
  downloads: { rows: ["/files/manual.pdf | 1 | 9000", "/robots.txt | 1 | 20"] },
  referer_domains: { rows: ["search.example | 2", "shop.example | 2"] },
  sessions: {
    rows: [
      "10.0.0.2 | curl/8.5 | 2026-11-22 18:10:00 | 7 | 6 | 190",
      "10.0.0.1 | firefox | 2026-11-22 17:00:00 | 4 | 120 | 14000",
      "10.0.0.3 | ExampleBot/1.0 | 2026-11-22 18:30:00 | 4 | 40 | 340",
      "10.0.0.1 | firefox | 2026-11-22 18:00:00 | 2 | 10 | 100",
      "10.0.0.4 | firefox | 2026-11-22 18:59:00 | 1 | 0 | 500",
    ],
  },
  dwell_times: {
    parameters: ["more_than=3"],
    rows: ["10.0.0.1 | 6 | 722 | 3480", "10.0.0.3 | 4 | 13.3 | 38", "10.0.0.2 | 7 | 1 | 1"],
  },
  next_requests: {
    parameters: ["limit=3"],
    rows: [
      "/ | /shop/12?color=red | 1 | 30",
      "/ | /shop/13 | 1 | 10",
      "/admin | /admin | 1 | 1",
    ],
  },
  latency_by_route: {
    rows: [
      "GET | /api/users/:id | 5 | 0.3 | 3.8 | 3.96 | 4",
      "GET | /shop/:id | 3 | 0.4 | 1.84 | 1.968 | 2",
    ],
  },
  slow_upstreams: {
    rows: [
      "app-2 | 6 | 2 | 33.3 | 1.083 | 4",
      "app-1 | 7 | 1 | 14.3 | 0.557 | 3",
      "app-3 | 4 | 1 | 25 | 0.5 | 1.5",
    ],
  },
  error_bursts: {
    parameters: ["least=2", "percent=50"],
    rows: ["2026-11-22 18:30:00 | 4 | 2 | 50"],
  },
  before_errors: {
    parameters: ["status=501"],
    rows: [
      "10.0.0.3 | 2026-11-22 18:30:02 | 503 | /api/users/2 | 1 | /api/users/1 | 200",
      "10.0.0.3 | 2026-11-22 18:30:02 | 503 | /api/users/2 | 2 | /robots.txt | 200",
      "10.0.0.3 | 2026-11-22 18:30:40 | 503 | /api/users/2 | 38 | /api/users/2 | 503",
      "10.0.0.3 | 2026-11-22 18:30:40 | 503 | /api/users/2 | 39 | /api/users/1 | 200",
      "10.0.0.3 | 2026-11-22 18:30:40 | 503 | /api/users/2 | 40 | /robots.txt | 200",
    ],
  },
  failing_addresses: {
    parameters: ["more_than=1"],
    rows: ["10.0.0.2 | 7 | 7 | 100", "10.0.0.3 | 2 | 4 | 50"],
  },
  not_found_urls: {
    parameters: ["limit=2"],
    rows: ["/shop/99/%FF/far/away | 1", "/wp-login.php | 1"],
  },
  bad_pages_404: { parameters: ["least=2"], rows: ["/wp-login.php | 2"] },
  bad_callers_404: { rows: ["10.0.0.2 | 3"] },
  bad_callers_403: { parameters: ["least=2"], rows: ["10.0.0.2 | 2"] },
  bad_callers_429: { parameters: ["least=2"], rows: ["10.0.0.2 | 2"] },
};

/** These look at rows beside each other. */
const SHIP_ROWS: ReadonlySet<string> = new Set([
  "before_errors",
  "dwell_times",
  "next_requests",
  "sessions",
]);

const SINCE = "2026-11-21T19:00:00.250Z";

function plan(planner: Planner, sql: string) {
  return planner.plan({
    sql,
    tables: [{ name: "logs", columns: [...TRAFFIC.columns] }],
    now: NOW,
    range: { since: SINCE, until: null, implied: true },
    rowsMax: 10_000,
  });
}

Deno.test("every .sql file is in the library, and has a case here", async () => {
  const folder = new URL("../../../../queries/library/", import.meta.url);
  const files = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const names = files.filter((name) => name.endsWith(".sql")).map((name) => name.slice(0, -4));
  assert.deepEqual([...LIBRARY_NAMES].sort(), names.sort());
  assert.deepEqual(Object.keys(CASES).sort(), names);
});

Deno.test("answers are right over one host and over several", async () => {
  await using fleet = await Fleet.open([TRAFFIC]);
  await using planner = await Planner.open();
  for (const dealt of ["all to one", "by host"]) {
    await fleet.deal(DEALS[dealt] ?? "");
    for (const [name, { parameters, rows }] of Object.entries(CASES)) {
      await fleet.askHosts(await plan(planner, askedSql(`@${name}`, parameters)));
      const answer = await fleet.answer("merge", true);
      assert.deepEqual(answer.rows, rows, `${name}, rows dealt ${dealt}`);
    }
  }
});

Deno.test("columns are as the header says, the range as asked, and few need the rows themselves", async () => {
  await using planner = await Planner.open();
  for (const name of LIBRARY_NAMES) {
    const { columns, parameters, stream } = libraryQuery(name);
    const required = parameters.filter((one) => one.default === null);
    const given = required.map((parameter) => `${parameter.name}=x`);
    const planned = await plan(planner, askedSql(`@${name}`, given));
    assert.deepEqual(planned.columns, columns.map(({ name, type }) => ({ name, type })), name);
    assert.deepEqual(planned.tables, [stream], name);
    assert.equal(planned.range.since, SINCE, `${name}: what --since says is not overruled`);
    assert.equal(planned.mode === "rows", SHIP_ROWS.has(name), `${name}: ${planned.reason}`);
  }
});
