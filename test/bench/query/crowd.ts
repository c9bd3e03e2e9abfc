/**
 * An orchestrator and a thousand hosts, of which each answers at once with ten groups: what is left
 * is the orchestrator's own work, and the broker's. One connection speaks for all of them.
 */
import { connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import { open, parseBody, seal } from "../../../protocol/wire/envelope.ts";
import { LEASE_MS, QueryCommand } from "../../../protocol/wire/messages.ts";
import type {
  HostCoverage,
  Presence,
  QueryAck,
  ResultMessage,
  ResultPart,
} from "../../../protocol/wire/messages.ts";
import { agentTopics } from "../../../protocol/wire/topics.ts";
import type { HostAnswer } from "../../../orchestrator/fanout/collector.ts";
import { addAnswers, finishMerge, prepareMerge } from "../../../orchestrator/fanout/merge.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { PLAN_VERSIONS, Planner } from "../../../queries/plan/planner.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { exportTable } from "../../../queries/transfer/export.ts";
import { TestFleet } from "../../harness/fleet.ts";
import { accessTables } from "../../harness/tables.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { spread } from "../figures.ts";
import { HttpAsker } from "./asker.ts";

const SQL = "SELECT status, count(*) AS n FROM logs GROUP BY 1";
const GROUPS = 10;
const ROUNDS = 20;
const MERGED_HOSTS = 1_000;
const BATCH_HOSTS = 50;

const COVERAGE: HostCoverage = {
  chunks: 1,
  rows_scanned: GROUPS,
  bytes_read: 1_000,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

export async function benchCrowd(): Promise<void> {
  const { plan, parts } = await groupsOfOneHost();
  await benchMerge(plan, parts);
  await benchHosts({ hosts: 1_000, silent: 0, parts, asked: "answer 1000" });
  await benchHosts({ hosts: 400, silent: 12, parts, asked: "the slowest live host + 1000" });
}

/** The merge by itself: a thousand answers, as many at once as tend to come together. */
async function benchMerge(plan: Plan, parts: readonly ResultPart[]) {
  const answers = Array.from({ length: MERGED_HOSTS }, (_, i): HostAnswer => ({
    host: `host-${i}`,
    parts: parts.flatMap((part) => part.encoding === "text" ? [{ table: part.table, part }] : []),
    rows: Object.fromEntries(plan.partials.map(({ table }) => [table, GROUPS])),
    coverage: COVERAGE,
    byteCount: 0,
  }));
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using engine = await Engine.open({ threads: 2 });
    const merge = await prepareMerge(engine, plan, []);
    const startMs = performance.now();
    for (let at = 0; at < answers.length; at += BATCH_HOSTS) {
      await addAnswers(merge, answers.slice(at, at + BATCH_HOSTS));
    }
    const merged = await finishMerge(merge, () => "");
    times.push(performance.now() - startMs);
    if (merged.kind !== "held" || merged.table.firstPage?.rows.length !== GROUPS) {
      throw new Error("A wrong answer");
    }
  }
  console.log(`merge of ${MERGED_HOSTS} hosts x ${GROUPS} groups alone (asked: 50), ms`);
  console.log(`  ${BATCH_HOSTS} at a time             ${spread(times)}`);
}

interface Crowd {
  hosts: number;
  /** So many never say a word: their leases still run. */
  silent: number;
  /** What each of the others answers. */
  parts: ResultPart[];
  /** The figure to reach, in words. */
  asked: string;
}

async function benchHosts({ hosts, silent, parts, asked }: Crowd) {
  await using fleet = await TestFleet.start({ hosts: {}, broker: "mosquitto", ackTimeout: "1s" });
  await using stack = new AsyncDisposableStack();
  const client = await connectAsync(fleet.brokerUrl);
  stack.defer(() => client.endAsync(true));
  let lastSentMs = 0;
  client.on("message", (topic, payload) => {
    const { type, body } = open(payload);
    if (type !== "query") return;
    const host = topic.split("/")[2] ?? "";
    if (Number(host.slice("host-".length)) < silent) return;
    answer(client, host, parseBody(QueryCommand, body, "query"), parts);
    lastSentMs = performance.now();
  });
  await client.subscribeAsync("logvend/a/+/cmd", { qos: 1 });
  const names = Array.from({ length: hosts }, (_, i) => `host-${i}`);
  await Promise.all(names.map((host) => sayOnline(client, host)));
  await fleet.online(hosts);
  const asker = await HttpAsker.of(fleet);
  const answers: number[] = [];
  const merges: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(names.map((host) => sayOnline(client, host))); // their leases
    const { rows, elapsedMs } = await asker.ask(SQL, { missing: silent });
    if (rows.length !== GROUPS || rows.some(({ n }) => n !== hosts - silent)) {
      throw new Error(`A wrong answer: ${JSON.stringify(rows)}`);
    }
    answers.push(elapsedMs);
    merges.push(performance.now() - lastSentMs);
  }
  console.log(
    `${hosts} simulated hosts x ${GROUPS} groups, ${silent} silent (asked: ${asked}), ms`,
  );
  console.log(`  answer                    ${spread(answers)}`);
  if (silent === 0) console.log(`  after the last was sent   ${spread(merges)}`);
}

/** What a host ships that has one row of each of some statuses: made by the plan's own SQL. */
async function groupsOfOneHost(): Promise<{ plan: Plan; parts: ResultPart[] }> {
  await using planner = await Planner.open();
  await using engine = await Engine.open();
  await using folder = await TempFolder.make();
  const plan = await planner.plan({
    sql: SQL,
    tables: accessTables("logs"),
    now: new Date().toISOString(),
    range: { since: null, until: null, implied: false },
    rowsMax: 1_000,
  });
  const [partial] = plan.partials;
  if (partial === undefined) throw new Error("Nobody is asked");
  const { table, sql } = partial;
  await engine.run(
    `CREATE SCHEMA host; CREATE TABLE host.logs AS SELECT (200 + range)::INTEGER AS status
     FROM range(${GROUPS}); SET search_path = 'host'`,
  );
  await engine.run(`CREATE TABLE memory.main."${table}" AS ${sql}`);
  await engine.run("SET search_path = 'main'");
  const exported = await exportTable(engine, table, { file: folder.join("groups.parquet") });
  if (exported.encoding !== "text") throw new Error("Groups of counts travel as text");
  const { encoding, columns, values } = exported;
  return { plan, parts: [{ table, encoding, columns, values }] };
}

function answer(
  client: MqttClient,
  host: string,
  { request, orchestrator }: QueryCommand,
  parts: ResultPart[],
) {
  const topics = agentTopics("logvend", host);
  const publish = (topic: string, type: string, body: QueryAck | ResultMessage) =>
    client.publish(topic, Buffer.from(seal({ type, body, issuedAtMs: Date.now() })), { qos: 1 });
  publish(topics.ack, "ack", { request, accepted: true });
  const rows = Object.fromEntries(parts.map(({ table }) => [table, GROUPS]));
  const end = { ok: true as const, rows, coverage: COVERAGE, sql_ms: 1, total_ms: 1 };
  publish(topics.result(orchestrator, request), "result", { request, seq: 0, parts, end });
}

async function sayOnline(client: MqttClient, host: string) {
  const body: Presence = {
    host,
    region: "eu-west-1",
    labels: {},
    version: "0.1.0",
    plan_versions: [...PLAN_VERSIONS],
    commands: [],
    streams: ["logs"],
    state: "online",
    boot: BOOT,
    lease_ms: LEASE_MS,
  };
  const payload = Buffer.from(seal({ type: "presence", body, issuedAtMs: Date.now() }));
  await client.publishAsync(agentTopics("logvend", host).state, payload, { qos: 1, retain: true });
}

const BOOT = crypto.randomUUID();
