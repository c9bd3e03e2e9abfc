/** Questions to the archive: whole processes, chunks in a folder, and hosts that are gone. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { ChunkCache } from "../../agent/archive/reads/chunk_cache.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { testCatalog } from "../harness/catalog.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

const HOSTS: Readonly<Record<string, string>> = {
  "web-1": "eu-west-1",
  "web-2": "eu-west-1",
  "web-3": "us-east-1",
};
/** One row a second. */
const HOUR_ROWS = 3_600;
const HOURS = [19, 20, 21];
const ALL = ["--since", "2026-11-22", "--until", "2026-11-22T22:00:00Z"];

const SQL = `SELECT host, region, status, count(*) AS n, sum(body_bytes_sent)::BIGINT AS b,
    max(line) AS l FROM logs GROUP BY 1, 2, 3 ORDER BY 1, 3`;

async function scene() {
  const more = "archive: { url: 'file:$FOLDER/archive', every: $QUIET }";
  const fleet = await TestFleet.start({ hosts: HOSTS, broker: "embedded", more });
  const files = new Map<string, string[]>();
  for (const [host, region] of Object.entries(HOSTS)) {
    for (const hour of HOURS) {
      const place = { stream: "logs", region, host, hour: `2026-11-22T${hour}` };
      const key = chunkPath({ ...place, chunk: String(hour).padStart(16, "0") });
      const path = fleet.path("archive", key);
      await Deno.mkdir(dirname(path), { recursive: true });
      const fromSecond = (hour - 19) * HOUR_ROWS;
      await writeChunk(path, { rows: HOUR_ROWS, fromSecond, host });
      files.set(region, [...files.get(region) ?? [], path]);
    }
  }
  return { fleet, files };
}

/** As an agent of the region does it when it is its turn. */
async function makeManifests(fleet: TestFleet) {
  const store = new FolderStore(fleet.path("archive"));
  const cache = await ChunkCache.open({ folder: fleet.path("cache"), quotaBytes: 1e9 });
  const more = { region: "us-east-1", index: new Map([["logs", ["remote_addr"]]]) };
  await using catalog = testCatalog(store, cache, { ...more, folder: fleet.path("manifests") });
  await catalog.keeper.round(new AbortController().signal);
}

/** What one DuckDB that has all these files says. */
async function expected(files: ReadonlyMap<string, string[]>, since: string, until: string) {
  await using engine = await Engine.open();
  const selects = [...files].map(([region, paths]) =>
    tableSelect(ACCESS, { files: paths, region, since, until })
  );
  await engine.run(`CREATE VIEW logs AS ${selects.join(" UNION ALL ")}`);
  const { rows } = await engine.read(`SELECT to_json(row)::VARCHAR FROM (${SQL}) AS row`);
  return rows.map(([row]) => JSON.parse(String(row)));
}

Deno.test("the archive answers near the data, also for hosts that are gone", async () => {
  const { fleet: owned, files } = await scene();
  await using fleet = owned;
  const whole = await expected(files, "2026-11-22T00:00:00Z", "2026-11-22T22:00:00Z");
  const archived = await fleet.query(SQL, ...ALL, "--source", "archive");
  assert.deepEqual(archived.answer.rows, whole);
  assert.equal(archived.code, 0);
  assert.equal(archived.answer.coverage.answered, 3);
  assert.equal(archived.answer.coverage.rows_scanned, 9 * HOUR_ROWS);

  const part = ["--since", "2026-11-22T19:30:00Z", "--until", "2026-11-22T21:00:00Z"];
  const eu = [...part, "--source", "archive", "--region", "eu-west-1"];
  const some = await fleet.query(SQL, ...eu);
  const ofEurope = new Map([...files].filter(([region]) => region === "eu-west-1"));
  const between = await expected(ofEurope, "2026-11-22T19:30:00Z", "2026-11-22T21:00:00Z");
  assert.deepEqual(some.answer.rows, between);
  const explained = await fleet.cli("query", SQL, ...eu, "--explain");
  assert.match(
    explained.stdout,
    /^archive {2}4 objects, 8 requests, .* at most: less than \$0.0001$/m,
  );
  await makeManifests(fleet);
  const needle = "SELECT count(*) AS n FROM logs WHERE remote_addr = '10.9.9.9'";
  const us = [...part, "--source", "archive", "--region", "us-east-1"];
  const ruledOut = await fleet.cli("query", needle, ...us, "--explain");
  assert.match(ruledOut.stdout, /^archive {2}0 of 2 objects, 0 requests, 0 B at most/m);
  const { code, answer } = await fleet.query(needle, ...us);
  assert.deepEqual([code, answer.rows, answer.coverage.answered], [0, [{ n: 0 }], 1]);
  const there = needle.replace("10.9.9.9", "192.0.2.7");
  assert.deepEqual((await fleet.query(there, ...us)).answer.rows, [{ n: 22 }]);
  const byHost = "SELECT host, median(body_bytes_sent) AS m, mad(status) AS d FROM logs GROUP BY 1";
  assert.equal((await fleet.query(byHost, ...ALL, "--source", "archive")).answer.rows.length, 3);

  const typo = await fleet.cli("query", SQL, ...ALL, "--source", "archive", "--region", "eu-west");
  assert.deepEqual([typo.code, typo.stdout], [69, ""]);
  const nowhere = "No region of the fleet matches region = eu-west: known are eu-west-1, us-east-1";
  assert.equal(typo.stderr, `${nowhere}\n`);
  const named = await fleet.query(SQL, ...ALL, "--source", "archive", "--host", "web-1,web-9");
  assert.deepEqual(named.answer.rows, whole.filter(({ host }) => host === "web-1"));
  assert.equal(named.code, 75);
  assert.deepEqual(named.answer.coverage.missing, [{
    ...{ host: "web-9", kind: "unknown" },
    reason: "never seen, and nothing of it is archived in this range",
  }]);
  const other = await fleet.cli("query", SQL, "--source", "archive", "--on", "service = api");
  assert.match(other.stderr, /The archive knows host and region of its chunks, not service/);
  const live = () => fleet.query(SQL, ...ALL).then(({ answer }) => answer);
  assert.equal((await live()).rows.length, 0); // no host holds anything
  await eventually(async () => (await live()).coverage.pruned === 3); // and each has said so

  await fleet.killAgent("web-2");
  await fleet.online(2);
  const past = await fleet.query(SQL, ...ALL);
  assert.deepEqual(past.answer.rows, whole.filter(({ host }) => host === "web-2"));
  assert.equal(past.code, 0);
  const open = await fleet.cli("query", SQL, "--since", "2026-11-22");
  assert.equal(open.code, 75);
  // It has said that it had sealed and archived all that is older than some hours.
  const used =
    /offline 1 {2}web-2 {2}silent since .* {2}archive used to (\d\d:00), gap \1-\d\d:\d\d$/m;
  assert.match(open.stderr, used);
  const without = await fleet.query(SQL, ...ALL, "--source", "archive");
  assert.deepEqual(without.answer.rows, whole);

  const [first = "", ...others] = files.get("eu-west-1") ?? [];
  await Deno.writeTextFile(first, "no chunk");
  const rest = new Map([...files, ["eu-west-1", others]]);
  const lacking = await fleet.query(SQL, ...ALL, "--source", "archive", "--allow-partial");
  const left = await expected(rest, "2026-11-22T00:00:00Z", "2026-11-22T22:00:00Z");
  assert.deepEqual(lacking.answer.rows, left);
  const { missing, asked, answered } = lacking.answer.coverage;
  assert.deepEqual([missing.map(({ host }) => host), asked, answered], [["web-1"], 3, 2]);
  const told = await fleet.cli("query", SQL, ...ALL, "--source", "archive");
  assert.equal(told.code, 75);
  const said =
    /failed +1 {2}web-1 {2}1 archived chunk could not be read stream=logs.*parquet: it is no Parquet file: .*see logvend archive verify/;
  assert.match(told.stderr, said);
});
