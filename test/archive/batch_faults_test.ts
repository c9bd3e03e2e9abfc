/** Batches in the middle of which something dies: whole processes, chunks in a real S3 store. */
import assert from "node:assert/strict";
import { signQuestion } from "../../orchestrator/access/sign.ts";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import type { ClientEvent } from "../../orchestrator/cli/client.ts";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { readOperatorKey } from "../../protocol/signing/signature.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { eventually } from "../harness/eventually.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { TestFleet } from "../harness/fleet.ts";
import { makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

const { signal } = new AbortController();

/** Hosts that are gone; the last two, which are held back, cannot be read at first. */
const HOSTS = Array.from({ length: 8 }, (_, i) => `old-${i}`);
/** Of an hour of each: no two have as many, so that how many were read says of whom. */
const ROWS = HOSTS.map((_, i) => 3_600 - i);
const ALL_ROWS = ROWS.reduce((sum, rows) => sum + rows, 0);
const HELD_BACK = HOSTS.slice(6);
const HELD_UP = /^GET .*\/old-[67]\./;

/** Each host's rows are a group of their own: each is one piece. */
const SQL = "SELECT host, count(*) AS n, mad(status) AS d FROM logs GROUP BY 1 ORDER BY 1";
/** The same, with answers too long to be sent as text. */
const LONG_SQL = "SELECT host, ts, mad(status) AS d FROM logs GROUP BY 1, 2";

/** A further hour for each step: what was read once is in the agents' caches. */
const HOURS = [17, 18, 19, 20, 21];
const asked = (hour: number) => {
  const range = [
    "--since",
    `2026-11-22T${hour}:00:00Z`,
    "--until",
    `2026-11-22T${hour + 1}:00:00Z`,
  ];
  return [...range, "--source", "archive"];
};

async function begin(stack: AsyncDisposableStack) {
  const folder = stack.use(await TempFolder.make());
  const ceph = stack.use(await startCeph());
  const bucket = await makeBucket(ceph, folder);
  await using store = await bucket.open();
  const path = folder.join("chunk.parquet");
  for (const [hour, host] of HOURS.flatMap((hour) => HOSTS.map((host) => [hour, host] as const))) {
    const place = { stream: "logs", region: "eu-west-1", host, hour: `2026-11-22T${hour}` };
    const rows = ROWS[HOSTS.indexOf(host)] ?? 0;
    await writeChunk(path, { rows, fromSecond: (hour - 19) * 3_600, host });
    const body = await Deno.readFile(path);
    const key = chunkPath({ ...place, chunk: String(hour).padStart(16, "0") });
    await store.put({ key, body, sha256: sha256Hex(body) }, signal);
    await Deno.remove(path);
  }
  const proxy = stack.use(FaultProxy.start({ port: ceph.port }));
  const fleet = stack.use(
    await TestFleet.start({
      hosts: { "web-1": "eu-west-1", "web-2": "eu-west-1" },
      broker: "embedded",
      ackTimeout: "2s",
      more: `archive:
  every: $QUIET
  url: s3://${bucket.name}/logs
  endpoint: ${proxy.endpoint}
  path_style: true
  credentials: { access_key_id: { file: ${bucket.keyFile} }, secret_access_key: { file: ${bucket.secretFile} } }
`,
    }),
  );
  return { fleet, proxy };
}

type World = Awaited<ReturnType<typeof begin>>;

/** Answers that lie in the orchestrator's data folder, or the long ones among them. */
async function keptAnswers(fleet: TestFleet, ending = ".answer.json"): Promise<string[]> {
  const names: string[] = [];
  const pieces = fleet.path("orchestrator", "pieces");
  for await (const { name } of Deno.readDir(pieces)) {
    for await (const file of Deno.readDir(`${pieces}/${name}`)) names.push(file.name);
  }
  return names.filter((name) => name.endsWith(ending));
}

/** As if nobody had asked yet. */
async function forgetAnswers(fleet: TestFleet) {
  const pieces = fleet.path("orchestrator", "pieces");
  for await (const { name } of Deno.readDir(pieces)) {
    await Deno.remove(`${pieces}/${name}`, { recursive: true });
  }
}

/**
 * Hosts whose pieces agents were asked since then, by what they remember themselves. One that is slow is
 * rightly asked of the other agent too.
 */
async function piecesAsked(fleet: TestFleet, since: string, asked = SQL): Promise<string[]> {
  const sql = `SELECT DISTINCT rows_scanned::INTEGER AS n FROM query_log
    WHERE sql = '${asked}' AND rows_scanned > 0 AND ts >= '${since}' ORDER BY n DESC`;
  const { rows } = await eventually(async () => {
    const { code, answer } = await fleet.query(sql, "--since", "all");
    return code === 0 && answer; // a busy machine may be late with an acknowledgement
  });
  return rows.map(({ n }) => HOSTS[ROWS.indexOf(Number(n))] ?? `of ${n} rows`);
}

/** Asks, resolves when six of eight pieces are there and the others are held up, and goes on then. */
async function askUntilHeldUp({ fleet, proxy }: World, hour: number) {
  proxy.rule = { fault: { kind: "silence" }, only: HELD_UP };
  const key = await readOperatorKey(fleet.pem);
  const { token } = await signQuestion({
    ...{ sql: SQL, selector: "", source: "archive", key, nowMs: Date.now() },
    range: {
      since: `2026-11-22T${hour}:00:00Z`,
      until: `2026-11-22T${hour + 1}:00:00Z`,
      implied: false,
    },
    limits: { timeout_ms: 300_000, rows_max: 100_000, bytes_max: 1e6 },
  });
  const request = { sql: SQL, token, format: "jsonl", signal } as const;
  const heldUp = Promise.withResolvers<void>();
  const answer = async () => {
    const events = [];
    for await (const event of new ApiClient(fleet.url).query(request)) {
      events.push(event);
      if (event.type === "progress" && event.archive?.chunks === 6) heldUp.resolve();
    }
    return events;
  };
  const answered = answer();
  answered.catch(heldUp.reject);
  await heldUp.promise;
  return { answered };
}

/** One of the agents that are at it, by what they say themselves. */
async function agentAtWork(fleet: TestFleet): Promise<string> {
  const sql = `SELECT host FROM query_log WHERE sql = '${SQL}' AND state = 'running'`;
  return await eventually(async () => {
    const { answer } = await fleet.query(sql, "--since", "all");
    return answer.rows[0]?.host as string | undefined; // a name
  });
}

/** The whole answer, each chunk once, and a progress that only grew to its end. */
function checkWhole(events: ClientEvent[]) {
  const end = events.find((event) => event.type === "end");
  const { coverage } = end ?? {};
  assert.deepEqual(coverage?.missing, []);
  assert.equal(coverage?.rows_scanned, ALL_ROWS);
  assert.equal(coverage?.archive?.chunks, HOSTS.length);
  const bytes = events.flatMap((event) => event.type === "data" ? [...event.bytes] : []);
  const rows = new TextDecoder().decode(new Uint8Array(bytes)).trimEnd().split("\n");
  assert.deepEqual(rows.map((row) => JSON.parse(row).n), ROWS);
  const progress = events.flatMap((event) =>
    event.type === "progress" && event.archive !== undefined ? [event.archive] : []
  );
  const chunks = progress.map((one) => one.chunks);
  assert.deepEqual(chunks, chunks.toSorted((a, b) => a - b));
  const last = progress.at(-1);
  assert.deepEqual([last?.chunks, last?.bytes], [HOSTS.length, last?.bytes_total]);
}

/** Asks, and kills the orchestrator when six of eight pieces are there and no more can come. */
async function askAndKill({ fleet, proxy }: World, sql: string, ...args: string[]) {
  proxy.rule = { fault: { kind: "silence" }, only: HELD_UP };
  const asking = fleet.startCli("query", sql, ...args);
  await eventually(async () => (await keptAnswers(fleet)).length === 6);
  await fleet.killOrchestrator();
  proxy.rule = null;
  return asking;
}

Deno.test({
  name: "a batch has its answer, whoever dies in the middle, and no finished part is lost",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using stack = new AsyncDisposableStack();
    const world = await begin(stack);
    const { fleet } = world;
    const json = async (path: string) => await (await fetch(`${fleet.url}${path}`)).json();

    await t.step("an agent that hangs: another one answers for it", async () => {
      const { answered } = await askUntilHeldUp(world, 21);
      const host = await agentAtWork(fleet);
      fleet.agent(host).kill("SIGSTOP");
      world.proxy.rule = null;
      checkWhole(await answered);
      fleet.agent(host).kill("SIGCONT");
    });

    await t.step(
      "an agent that is killed: what it read counts, the rest is another's",
      async () => {
        const { answered } = await askUntilHeldUp(world, 18);
        const host = await agentAtWork(fleet);
        await fleet.killAgent(host);
        world.proxy.rule = null;
        checkWhole(await answered);
        fleet.startAgent(host);
        await fleet.online(2);
      },
    );

    await t.step("the time is up: of a partial answer what is missing is asked for", async () => {
      world.proxy.rule = { fault: { kind: "silence" }, only: HELD_UP };
      const args = [...asked(17), "-o", "json"];
      let seconds = 5; // enough for the six that can be read, but on a busy machine
      const query_id = await eventually(async () => {
        const partial = await fleet.cli("query", SQL, ...args, "--timeout", `${seconds}s`);
        assert.equal(partial.code, 75, partial.stderr);
        const { rows, query_id } = JSON.parse(partial.stdout);
        if (rows.length === 6) return query_id as string; // of JSON
        seconds *= 2;
        await forgetAnswers(fleet);
        return undefined;
      });
      world.proxy.rule = null;
      const since = new Date().toISOString();
      const again = ["query", "--resume", query_id, "--timeout", "5m"];
      const whole = await fleet.startAtTerminal(...again).ended();
      assert.equal(whole.code, 0, whole.stdout);
      assert.match(whole.stdout, /archive 6\/8 chunks, [\d.]+ [kM]B of [\d.]+ [kM]B/);
      for (const [i, host] of HOSTS.entries()) {
        assert.match(whole.stdout, new RegExp(`${host} │ +${ROWS[i]} `));
      }
      assert.deepEqual(await piecesAsked(fleet, since), HELD_BACK);
      assert.equal((await keptAnswers(fleet)).length, 0);
    });

    await t.step(
      "the orchestrator: who waits has the answer in the end, each chunk counted once",
      async () => {
        const begun = new Date().toISOString();
        const asking = await askAndKill(world, SQL, ...asked(19), "-o", "json", "--timeout", "5m");
        await asking.waitForLine(/; asking again for what is not read yet/);
        assert.equal((await keptAnswers(fleet)).length, 6);
        const restarted = new Date().toISOString();
        await fleet.startOrchestrator();
        const ended = await asking.ended();
        assert.equal(ended.code, 0, ended.stderr);
        const { rows, coverage } = JSON.parse(ended.stdout);
        assert.deepEqual(
          rows.map(({ host, n }: { host: string; n: number }) => [host, n]),
          HOSTS.map((host, i) => [host, ROWS[i]]),
        );
        assert.equal(coverage.rows_scanned, ALL_ROWS);
        assert.equal(coverage.archive.chunks, HOSTS.length);
        await eventually(async () => (await keptAnswers(fleet)).length === 0);
        await fleet.online(2);
        assert.deepEqual(
          await piecesAsked(fleet, restarted),
          HELD_BACK,
          "all others were answered",
        );
        assert.deepEqual(await piecesAsked(fleet, begun), HOSTS);
        const { queries } = await json("/v1/queries?limit=100");
        const states = queries.filter(({ sql }: { sql: string }) => sql === SQL)
          .map(({ state }: { state: string }) => state);
        assert.equal(states.filter((state: string) => state === "interrupted").length, 1);
        assert.ok(states.includes("complete"));
      },
    );

    await t.step("the orchestrator and its asker: one asks by its id, and publishes", async () => {
      const asking = await askAndKill(world, LONG_SQL, ...asked(20), "--timeout", "5m");
      asking.kill("SIGKILL");
      await asking.ended();
      assert.equal((await keptAnswers(fleet, ".parquet")).length, 6);
      const restarted = new Date().toISOString();
      await fleet.startOrchestrator();
      const { queries } = await json("/v1/queries");
      const record = queries.find(({ state, sql }: { state: string; sql: string }) =>
        sql === LONG_SQL && state === "interrupted"
      );
      const told = await fleet.cli("queries", record.query_id);
      assert.match(told.stdout, /interrupted \(the rest of it: logvend query --resume q-/);
      const place = fleet.path("result");
      const ended = await fleet.cli(
        ...["query", "--resume", record.query_id, "--publish", `file:${place}`, "-o", "json"],
        ...["--timeout", "5m"],
      );
      assert.equal(ended.code, 0, ended.stderr);
      const manifest = JSON.parse(ended.stdout);
      const { rows, sql, complete } = manifest;
      assert.deepEqual([rows, sql, complete], [ALL_ROWS, LONG_SQL, true]);
      assert.equal(manifest.now, record.asked.now);
      assert.deepEqual(await piecesAsked(fleet, restarted, LONG_SQL), HELD_BACK);
      const both = await fleet.cli("query", SQL, "--resume", record.query_id);
      assert.match(both.stderr, /--resume asks what was asked before: give no SQL/);
    });
  },
});
