/** Two regions, each with a store of its own: what one of them lacks is named, the other goes on. */
import assert from "node:assert/strict";
import { startCeph } from "../harness/ceph/cluster.ts";
import type { Ceph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { CHUNK_ROWS, putChunks } from "./reader.ts";

const HOSTS: Readonly<Record<string, string>> = { "web-1": "eu-west-1", "web-2": "us-east-1" };
const HOURS = 2;
const ROWS = HOURS * CHUNK_ROWS;
const SQL = "SELECT host, count(*) AS n, sum(status)::BIGINT AS s FROM logs GROUP BY 1 ORDER BY 1";
const RANGE = ["--since", "2026-11-22", "--until", "2026-11-22T22:00:00Z", "--source", "archive"];

interface Region {
  ceph: Ceph;
  bucket: Bucket;
}

async function makeRegion(folder: TempFolder, host: string, region: string): Promise<Region> {
  const ceph = await startCeph({ region });
  const bucket = await makeBucket(ceph, folder, region);
  await using store = await bucket.open();
  await putChunks(store, { host, region, hours: HOURS });
  return { ceph, bucket };
}

function configOf({ ceph, bucket }: Region, region: string): string {
  return `archive:
  every: $QUIET
  url: s3://${bucket.name}/logs
  endpoint: ${ceph.endpoint}
  region: ${region}
  path_style: true
  credentials:
    access_key_id: { file: ${bucket.keyFile} }
    secret_access_key: { file: ${bucket.secretFile} }`;
}

Deno.test({
  name: "a question over two regions: the store of one goes away, or refuses; the other answers",
  ignore: CEPH_IS_MISSING,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const regions = new Map<string, Region>();
    await Promise.all(
      Object.entries(HOSTS).map(async ([host, region]) => {
        const made = await makeRegion(folder, host, region);
        stack.use(made.ceph);
        regions.set(host, made);
      }),
    );
    const [eu, us] = [regions.get("web-1"), regions.get("web-2")];
    assert(eu !== undefined && us !== undefined);
    const more = (host: string) => configOf(host === "web-1" ? eu : us, HOSTS[host] ?? "");
    const fleet = stack.use(await TestFleet.start({ hosts: HOSTS, broker: "embedded", more }));
    let sql = SQL;
    const rowsOf = (...hosts: string[]) => hosts.map((host) => [host, ROWS]);
    const ask = async (...flags: string[]) => {
      const { answer, code } = await fleet.query(sql, ...RANGE, "--allow-partial", ...flags);
      const { rows, coverage: { missing, answered, asked } } = answer;
      const reasons = missing.map(({ host, reason }) => `${host} ${reason}`);
      return { rows: rows.map(({ host, n }) => [host, n]), reasons, code, answered, asked };
    };
    const both = { rows: rowsOf("web-1", "web-2"), reasons: [], code: 0, answered: 2, asked: 2 };
    assert.deepEqual(await ask(), both);
    const one = { ...both, answered: 1, asked: 1 };
    assert.deepEqual(await ask("--region", "eu-west-1"), { ...one, rows: rowsOf("web-1") });
    assert.deepEqual(await ask("--region", "us-east-1"), { ...one, rows: rowsOf("web-2") });

    const lacksUs = async (said: RegExp) => {
      const { rows, reasons, answered, asked } = await ask();
      assert.deepEqual([rows, answered, asked], [rowsOf("web-1"), 1, 2]);
      assert.match(reasons.join(), said);
    };
    await us.ceph.stopGateway();
    await lacksUs(/^web-2 web-2: Cannot list .*: no answer from http\S+ .*is it up, and archive/);
    assert.equal((await ask("--region", "eu-west-1")).code, 0);
    const { code, stderr } = await fleet.cli("query", SQL, ...RANGE);
    assert.equal(code, 75, stderr);
    assert.match(stderr, /lost +1 {2}web-2 {2}web-2: Cannot list/);
    const plan = await fleet.cli("query", SQL, ...RANGE, "--explain");
    assert.equal(plan.code, 75, plan.stderr);
    assert.match(plan.stdout, /^PARTIAL: nobody could say what the archive of us-east-1 has\n/);
    assert.equal((await fleet.cli("query", SQL, ...RANGE, "--explain", "--allow-partial")).code, 0);
    await us.ceph.startGateway();
    await eventually(async () => {
      assert.deepEqual(await ask(), both);
      return true;
    });

    await Deno.writeTextFile(us.bucket.secretFile, "another-secret");
    await lacksUs(/^web-2 web-2: Cannot list .* are wrong \(SignatureDoesNotMatch\); renew what/);
    await us.ceph.admin(
      "user",
      "create",
      "--uid=o",
      "--display-name=x",
      "--access-key=o",
      "--secret=s-2",
    );
    await Deno.writeTextFile(us.bucket.keyFile, "o");
    await Deno.writeTextFile(us.bucket.secretFile, "s-2");
    await lacksUs(/^web-2 web-2: Cannot list .*: access denied .*: logvend archive policy/);
    await us.bucket.allow("o", {
      Statement: [{
        Effect: "Allow",
        Action: ["s3:ListBucket"],
        Resource: [`arn:aws:s3:::${us.bucket.name}`],
      }],
    });
    // What its cache has it may give; of other columns it has none.
    sql = SQL.replace("sum(status)", "sum(body_bytes_sent)");
    await lacksUs(
      /^web-2 .*could not be read: web-2: Cannot read .*: access denied .*archive policy/,
    );
  },
});
