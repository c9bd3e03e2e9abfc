/** Columns that say where addresses are, from the log to SQL and back, by the real programs. */
import assert from "node:assert/strict";
import { mmdb } from "../../orchestrator/demo/mmdb.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Ended } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const DATABASE = mmdb([
  { cidr: "10.0.0.0/25", country: "DE", city: "München" },
  { cidr: "10.0.0.128/25", country: "BR" },
], { type: "Test-City", builtMs: Date.parse("2026-11-20") });

const GEO = "geo: { database: ./places.mmdb }\n";

function agent(...args: string[]): Promise<Ended> {
  return runProgram({ args: ourProgram("agent/main.ts", ...args), env: { NO_COLOR: "1" } });
}

async function config(folder: TempFolder, geo: string, stream = "", name = "agent") {
  return await folder.write(
    `${name}.yaml`,
    `host: ${name}\ndata_dir: ./data-${name}\n${geo}` +
      `streams:\n  - name: logs\n    files: [ ./access.log ]\n${stream}`,
  );
}

async function select(sql: string, path: string): Promise<Record<string, unknown>[]> {
  const { stdout, stderr } = await agent("query", sql, "-c", path, "-o", "json", "--since", "all");
  assert.ok(stdout !== "", stderr);
  return JSON.parse(stdout).rows;
}

const COUNTS =
  "SELECT geo_country, geo_city, count(*)::INT AS n FROM logs GROUP BY ALL ORDER BY ALL";

Deno.test("imported rows have their places, and are otherwise what they are without; lines come back", async () => {
  await using folder = await TempFolder.make();
  await folder.write("places.mmdb", DATABASE);
  const text = manyLines(combinedLine, 0, 3_000) +
    combinedLine(1).replace("10.0.0.1", "192.168.0.1") +
    combinedLine(2).trimEnd() + " more\n";
  const log = await folder.write("old.log", text);
  const on = await config(folder, GEO, "", "on");
  const off = await config(folder, "", "", "off");
  for (const path of [on, off]) {
    const { stdout, stderr } = await agent("import", log, "-c", path);
    assert.match(stdout, /3002 lines, 3002 rows, 0 rejects · /, stderr);
  }
  assert.deepEqual(await select(COUNTS, on), [
    { geo_country: "BR", geo_city: null, n: 12 * 122 },
    { geo_country: "DE", geo_city: "München", n: 12 * 128 + 1 },
    { geo_country: null, geo_city: null, n: 1 },
  ]);
  const all = (but: string) => `SELECT * EXCLUDE (host${but}) FROM logs ORDER BY line`;
  assert.deepEqual(await select(all(", geo_country, geo_city"), on), await select(all(""), off));
  for (const path of [on, off]) {
    assert.equal((await agent("restore", "-c", path, "--since", "all")).stdout, text);
  }
});

Deno.test("a running agent gives places, drops by them, and goes on when they are no longer wanted", async () => {
  await using folder = await TempFolder.make();
  await folder.write("places.mmdb", DATABASE);
  const drop = `    drop: [ { name: abroad, when: "geo_country = 'BR'" } ]\n`;
  const path = await config(folder, GEO, drop);
  await folder.write("access.log", manyLines(combinedLine, 0, 250));
  const rows = async (wanted: object[]) => {
    assert.deepEqual(await select(COUNTS, path), wanted);
    return true;
  };
  const inGermany = { geo_country: "DE", geo_city: "München", n: 128 };
  {
    await using _running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", path) });
    await eventually(() => rows([inGermany]));
  }
  await config(folder, "");
  await Deno.writeTextFile(folder.join("access.log"), manyLines(combinedLine, 250, 10), {
    append: true,
  });
  await using _again = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", path) });
  await eventually(() => rows([inGermany, { geo_country: null, geo_city: null, n: 10 }]));
});

Deno.test("JSON lines have places by the column that is named, and keep a geo_country of their own", async () => {
  await using folder = await TempFolder.make();
  await folder.write("places.mmdb", DATABASE);
  const lines = ["10.0.0.1", "10.0.0.200", "unix:"].map((client, i) =>
    `{"time":"2026-11-22T10:00:0${i}Z","client":"${client}","geo_country":"here"}\n`
  );
  const log = await folder.write("old.log", lines.join(""));
  const path = await config(folder, GEO, "    format: json\n    geo: { field: client }\n");
  await agent("import", log, "-c", path);
  assert.deepEqual(
    await select("SELECT client, geo_country, log_geo_country FROM logs ORDER BY ts", path),
    [
      { client: "10.0.0.1", geo_country: "DE", log_geo_country: "here" },
      { client: "10.0.0.200", geo_country: "BR", log_geo_country: "here" },
      { client: "unix:", geo_country: null, log_geo_country: "here" },
    ],
  );
  const { stdout } = await agent("restore", "-c", path, "--since", "all");
  assert.equal(stdout, lines.join(""));
});

Deno.test("in a fleet, hosts without a database have rows without places", async () => {
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu", "web-2": "eu" },
    broker: "embedded",
  });
  await fleet.killAgent("web-1");
  await Deno.writeFile(fleet.path("web-1", "places.mmdb"), DATABASE);
  const geo = `geo: { database: ./web-1/places.mmdb }\n`;
  await Deno.writeTextFile(fleet.configFile("web-1"), geo, { append: true });
  for (const host of ["web-1", "web-2"]) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, 250));
  }
  fleet.startAgent("web-1");
  await eventually(async () => {
    const { answer } = await fleet.query(COUNTS);
    assert.deepEqual(answer.rows, [
      { geo_country: "BR", geo_city: null, n: 122 },
      { geo_country: "DE", geo_city: "München", n: 128 },
      { geo_country: null, geo_city: null, n: 250 },
    ]);
    return true;
  });
});

Deno.test("validate says which database; what cannot be right stops validate and start", async () => {
  await using folder = await TempFolder.make();
  await folder.write("access.log", combinedLine(1));
  const check = async (geo: string, stream: string, message: RegExp) => {
    const { code, stderr } = await agent("validate", "-c", await config(folder, geo, stream));
    assert.equal(code, 78);
    assert.match(stderr.replaceAll(/\s+/g, " "), message);
  };
  const missing =
    /Cannot use geo\.database \/.*\/places\.mmdb: no such file .*GeoLite2 City \(https/;
  await check(GEO, "", missing);
  const start = await agent("run", "-c", folder.join("agent.yaml"));
  assert.equal(start.code, 78);
  assert.match(start.stderr.replaceAll(/\s+/g, " "), missing);
  const imported = await agent(
    "import",
    folder.join("access.log"),
    "-c",
    folder.join("agent.yaml"),
  );
  assert.equal(imported.code, 78);
  await folder.write("places.mmdb", "none");
  await check(GEO, "", /places\.mmdb: .*nothing started \(exit 78\)/);
  await folder.write("places.mmdb", DATABASE);
  await check("geo: ./places.mmdb\n", "", /agent\.yaml:3:\d+ geo: found .*wanted keys and values/);
  await check(
    GEO,
    "    geo: { field: x }\n",
    /streams\[0\]\.geo\.field: found "x"; wanted remote_addr/,
  );
  await check(
    "",
    "    geo: { field: remote_addr }\n",
    /streams\[0\]\.geo: .*wanted geo\.database too/,
  );
  await check(GEO, "    format: json\n", /agent\.yaml:3:\d+ geo: .*wanted a stream with geo/);
  const { code, stdout } = await agent("validate", "-c", await config(folder, GEO));
  assert.equal(code, 0);
  assert.match(stdout, /geo_country, geo_city: where remote_addr is, by Test-City of 2026-11-20\n/);
});
