/** What was read in the archive before counts for a question that is asked again, but not for ever. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

/** Hosts that are gone. Each one's rows are a group of their own, so each is one piece. */
const HOSTS = ["old-1", "old-2", "old-3"];
const SQL = "SELECT host, max(remote_addr) AS a, mad(status) AS d FROM logs GROUP BY 1 ORDER BY 1";
const ASKED = ["--since", "2026-11-22T19:00:00Z", "--until", "2026-11-22T20:00:00Z"];

async function begin() {
  const more = "archive: { url: 'file:$FOLDER/archive', every: $QUIET }\ntrust_erase: [ \"$KEY\" ]";
  const fleet = await TestFleet.start({
    ...{ hosts: { "web-1": "eu" }, broker: "embedded", more },
    orchestrator: "trust_erase: [ \"$KEY\" ]\narchives: [ { url: 'file:$FOLDER/archive' } ]",
  });
  const pathOf = (host: string) => {
    const place = { stream: "logs", region: "eu", host, hour: "2026-11-22T19" };
    return fleet.path("archive", chunkPath({ ...place, chunk: "0".repeat(16) }));
  };
  for (const host of HOSTS) {
    await Deno.mkdir(dirname(pathOf(host)), { recursive: true });
    await writeChunk(pathOf(host), { rows: 60, fromSecond: 0, host });
  }
  return { fleet, lastPath: pathOf("old-3") };
}

/** Questions whose answers lie in the orchestrator's folder. */
function kept(fleet: TestFleet): number {
  return [...Deno.readDirSync(fleet.path("orchestrator", "pieces"))].length;
}

/** Of each piece that was read since then, for how many rows. */
async function reads(fleet: TestFleet, since: string): Promise<number> {
  const sql = `SELECT count(*)::INTEGER AS n FROM query_log
    WHERE sql = '${SQL}' AND rows_scanned > 0 AND ts >= '${since}'`;
  const { answer } = await fleet.query(sql, "--since", "all");
  return Number(answer.rows[0]?.n);
}

async function resume(fleet: TestFleet, id: string) {
  const { stdout, stderr } = await fleet.cli("query", "--resume", id, "-o", "json");
  assert.ok(stdout !== "", stderr);
  assert.match(stderr, / · 2026-11-22T\d\d:00Z to 2026-11-22T\d\d:00Z[ ,]/);
  return JSON.parse(stdout);
}

Deno.test("what an agent read before its policy was tightened is read anew, and what is erased is forgotten", async (t) => {
  const { fleet: owned, lastPath } = await begin();
  await using fleet = owned;
  const chunk = await Deno.readFile(lastPath);
  await Deno.writeTextFile(lastPath, "no chunk");
  const { code, answer } = await fleet.query(SQL, ...ASKED, "--source", "archive");
  assert.equal(code, 75);
  const [address] = answer.rows.map(({ a }) => String(a));
  assert.deepEqual(answer.rows.map(({ a }) => a), [address, address]);
  assert.equal(kept(fleet), 1);

  await t.step("while the policy is the same, it is not read again", async () => {
    const since = new Date().toISOString();
    assert.deepEqual((await resume(fleet, answer.query_id)).rows, answer.rows);
    assert.equal(await reads(fleet, since), 0);
    assert.equal(kept(fleet), 1);
  });

  await t.step("once the addresses are masked, no answer has them", async () => {
    await fleet.killAgent("web-1");
    const config = await Deno.readTextFile(fleet.configFile("web-1"));
    const mask = "policy: { mask: { remote_addr: prefix24 } }\n";
    await Deno.writeTextFile(fleet.configFile("web-1"), config + mask);
    await fleet.online(0);
    fleet.startAgent("web-1");
    await fleet.online(1);
    const since = new Date().toISOString();
    const again = await resume(fleet, answer.query_id);
    const network = address?.replace(/\d+$/, "0");
    assert.notEqual(network, address);
    assert.deepEqual(again.rows.map(({ a }: { a: string }) => a), [network, network]);
    await eventually(async () => await reads(fleet, since) === 2); // noted once they are sent
  });

  await t.step("an erasure leaves nothing of it", async () => {
    assert.equal(kept(fleet), 1);
    await Deno.writeFile(lastPath, chunk);
    const range = ["--since", "2026-11-22T18:00:00Z", "--until", "2026-11-22T18:10:00Z"];
    const confirm = "erase logs 2026-11-22T18:00:00.000Z 2026-11-22T18:10:00.000Z";
    const rest = ["--stream", "logs", "--config", fleet.path("orchestrator.yaml")];
    const ended = await fleet.cli("archive", "erase", ...range, ...rest, "--confirm", confirm);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(kept(fleet), 0);
    const { rows } = await resume(fleet, answer.query_id);
    assert.equal(rows.length, 3);
  });

  await t.step("what was changed in the orchestrator's state is not signed", async () => {
    using database = new DatabaseSync(fleet.path("orchestrator", "orchestrator.db"));
    const other = SQL.replace("max(remote_addr)", "max(line)");
    database.prepare("UPDATE queries SET record = json_set(record, '$.sql', ?)").run(other);
    const { code, stderr } = await fleet.cli("query", "--resume", answer.query_id);
    assert.match(stderr, /not show q-\w+ as your key has signed it: the SQL is not the one that/);
    assert.equal(code, 77);
  });
});
