/** What hosts send comes twice and late, and counts once: answers stay those of one DuckDB. */
import assert from "node:assert/strict";
import { ResultSender } from "../../../../agent/link/result_sender.ts";
import type { AnswerTable } from "../../../../agent/store/answer.ts";
import { Collector } from "../../../../orchestrator/fanout/collector.ts";
import { addAnswers, prepareMerge } from "../../../../orchestrator/fanout/merge.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import type { HostCoverage, ResultMessage } from "../../../../protocol/wire/messages.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import type { Plan } from "../../../../queries/plan/plan.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { SAMPLES } from "../../queries/compared.ts";
import { DEALS, Fleet, hostNames, NOW, rowsOf } from "../../queries/fleet.ts";
import { Dice, groupedQuery, rowsQuery } from "../../queries/random_query.ts";
import { SEED, times } from "../../../harness/seed.ts";

const COUNT = times(100);

const COVERAGE: HostCoverage = {
  chunks: 1,
  rows_scanned: 1,
  bytes_read: 1,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

Deno.test(`${COUNT} random queries whose messages all come twice equal one DuckDB`, async () => {
  await using fleet = await Fleet.open(SAMPLES);
  await using planner = await Planner.open();
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  await fleet.deal(DEALS["by host"] ?? "0");
  const dice = new Dice(SEED);
  let ran = 0;
  for (let i = 0; i < COUNT; i++) {
    const { sql, ordered } = dice.chance(0.6) ? groupedQuery(dice) : rowsQuery(dice);
    if (await fleet.askWhole(sql).then(() => false, () => true)) continue; // DuckDB refuses it too
    const plan = await planner.plan({
      sql,
      tables: fleet.known,
      now: NOW,
      range: { since: null, until: null, implied: false },
      rowsMax: 100,
    });
    const own = folder.join(String(i));
    await Deno.mkdir(own);
    await collect({ fleet, plan, engine, folder: own });
    await engine.run(`CREATE OR REPLACE TABLE answer AS ${plan.mergeSql}`);
    const expected = await fleet.answer("whole", ordered);
    assert.deepEqual(await rowsOf(engine, { table: "answer", ordered }), expected.rows, sql);
    assert.deepEqual(plan.columns, expected.columns, sql);
    for (const { table } of plan.partials) await engine.run(`DROP TABLE ${table}`);
    ran++;
  }
  assert.ok(ran > COUNT / 2, `${ran} ran`);
});

interface Asked {
  fleet: Fleet;
  plan: Plan;
  /** Of the merge. */
  engine: Engine;
  folder: string;
}

/** Loads what the hosts send: each message, then the one before it again. */
async function collect({ fleet, plan, engine, folder }: Asked) {
  const merge = await prepareMerge(engine, plan, []);
  const request = crypto.randomUUID();
  const exported = new Map<string, AnswerTable[]>();
  for (const host of hostNames()) exported.set(host, await fleet.sentBy(host, plan));
  const senders = new Map<string, ResultSender>();
  const sending: Promise<void>[] = [];
  using collector = new Collector({
    hosts: hostNames(),
    folder: () => folder,
    timeoutMs: 60_000,
    ackTimeoutMs: 60_000,
    bytesMax: 1e9,
    overflow: () => new LogvendError("too_many_rows", "more"),
    acknowledge: (host, seq) => senders.get(host)?.acknowledge(seq),
    ask: (host) => {
      const sent: ResultMessage[] = [];
      const sender = new ResultSender(request, (message) => {
        sent.push(message);
        for (const one of sent.slice(-2).reverse()) collector.receiveResult(host, one, 1);
        if (message.end !== undefined) collector.receiveResult(host, message, 1);
        collector.receiveAck(host, { request, accepted: true });
      });
      senders.set(host, sender);
      const tables = exported.get(host) ?? [];
      const rows = Object.fromEntries(tables.map(({ table, rows }) => [table, rows]));
      const end = { ok: true as const, rows, coverage: COVERAGE, sql_ms: 1, total_ms: 1 };
      sending.push(sender.send(tables, () => end, AbortSignal.timeout(60_000)));
    },
  });
  collector.ask();
  for await (const batch of collector.batches()) {
    const answers = batch.map((one) => {
      assert.equal(one.kind, "answered");
      return one.kind === "answered" ? one.answer : assert.fail();
    });
    assert.deepEqual(await addAnswers(merge, answers), []);
  }
  await Promise.all(sending);
}
