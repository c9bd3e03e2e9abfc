import assert from "node:assert/strict";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { Metrics } from "../../../../agent/metrics/metrics.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { batch, folder, GENERATION, open, START_MS } from "../store/scene.ts";

const HOST = { host: "web-1", region: "eu", version: "1.2.3" };
const QUERY = {
  version: PLAN_VERSION,
  tables: [],
  sql: "SELECT 1",
  now: "2026-11-22T18:00:00Z",
  range: { since: null, until: null, implied: false },
  limits: { timeout_ms: 1, rows_max: 1, bytes_max: 1 },
};

async function scrape(metrics: Metrics, store: Awaited<ReturnType<typeof open>>): Promise<string> {
  const { text } = await metrics.page({
    totals: store.totals(),
    condition: store.condition(),
    isHeldBack: true,
    inputs: new Map([["app", { messages: 3, bytes: 40, lost: 1 }]]),
    behind: { bytes: 5, ms: 1_500 },
    link: { connected: true, refused: 3 },
    windows: {
      counts: { revisions: 4, tooLate: 1, cut: 0, failures: 0 },
      requests: new Map([["logs", {
        byClass: new Map([["2xx", 9], ["5xx", 1]]),
        bytes: 500,
        latency: { count: 8, sumS: 1.25, within: new Map([[0.1, 5], [2.5, 7]]) },
      }]]),
      queue: { bytes: 77 },
      deliveries: [{
        name: "search",
        counts: { sent: 8, bytes: 900, failures: 2, deadLetters: 1, lost: 0 },
        problem: "503",
        waiting: () => ({ events: 6, bytes: 55, oldestStartMs: Date.now() - 20_000 }),
      }],
    },
    archive: {
      waiting: { chunks: 3, bytes: 12 },
      oldestMs: 7_200_000,
      total: { chunks: 40, bytes: 900 },
      isFailing: true,
    },
  });
  return text;
}

Deno.test("what was read and stored is counted on over restarts; what waits is not counted yet", async () => {
  await using home = await folder();
  {
    await using store = await open(home.path);
    store.putGeneration(GENERATION);
    await store.append(batch(0, 100, () => START_MS));
    const text = await scrape(new Metrics(HOST), store);
    assert.match(text, /^logvend_waiting_rows 100$/m);
    assert.doesNotMatch(text, /^logvend_stored_rows_total\{/m);
  }
  await using store = await open(home.path);
  await store.append(batch(100, 50, () => START_MS));
  await store.flush();
  const text = await scrape(new Metrics(HOST), store);
  for (
    const line of [
      'logvend_agent_info{host="web-1",region="eu",version="1.2.3"} 1',
      'logvend_read_lines_total{stream="logs"} 150',
      'logvend_read_bytes_total{stream="logs"} 1500',
      'logvend_stored_rows_total{stream="logs"} 150',
      'logvend_stored_files{kind="part"} 2',
      'logvend_stored_files{kind="chunk"} 0',
      "logvend_waiting_rows 0",
      "logvend_writing_broken 0",
      "logvend_behind_bytes 5",
      "logvend_reading_held_back 1",
      "logvend_behind_seconds 1.5",
      "logvend_broker_connected 1",
      "logvend_refused_queries_total 3",
      'logvend_requests_total{stream="logs",class="5xx"} 1',
      'logvend_response_bytes_total{stream="logs"} 500',
      "# TYPE logvend_request_duration_seconds histogram",
      'logvend_request_duration_seconds_bucket{stream="logs",le="0.1"} 5',
      'logvend_request_duration_seconds_bucket{stream="logs",le="2.5"} 7',
      'logvend_request_duration_seconds_bucket{stream="logs",le="+Inf"} 8',
      'logvend_request_duration_seconds_sum{stream="logs"} 1.25',
      'logvend_request_duration_seconds_count{stream="logs"} 8',
      "logvend_window_revisions_total 4",
      "logvend_window_too_late_total 1",
      "logvend_window_queue_bytes 77",
      'logvend_sink_events_total{sink="search"} 8',
      'logvend_sink_refused_events_total{sink="search"} 1',
      'logvend_sink_failures_total{sink="search"} 2',
      'logvend_sink_up{sink="search"} 0',
      'logvend_sink_waiting_events{sink="search"} 6',
      "logvend_archive_waiting_chunks 3",
      "logvend_archive_waiting_bytes 12",
      "logvend_archive_waiting_seconds 7200",
      "logvend_archive_failing 1",
      "logvend_archived_chunks_total 40",
      "logvend_archived_bytes_total 900",
    ]
  ) assert.ok(text.split("\n").includes(line), `${line}\n${text}`);
  const lag = Number(/^logvend_sink_lag_seconds\{sink="search"\} (.+)$/m.exec(text)?.[1]);
  assert.ok(lag >= 20 && lag < 60);
});

Deno.test("queries are counted by how they ended, and work that failed by what it was", async () => {
  await using home = await folder();
  await using store = await open(home.path);
  const metrics = new Metrics(HOST);
  const never = new AbortController().signal;
  const failing = metrics.timed(() => Promise.reject(new LogvendError("bad_sql", "no")));
  await assert.rejects(failing(QUERY, never), /no/);
  await assert.rejects(metrics.timed(() => Promise.reject(new Error("?")))(QUERY, never));
  metrics.failed("flush");
  metrics.sealed(2);
  const text = await scrape(metrics, store);
  assert.match(text, /^logvend_query_duration_seconds_count\{result="bad_sql"\} 1$/m);
  assert.match(text, /^logvend_query_duration_seconds_count\{result="internal"\} 1$/m);
  assert.match(text, /^logvend_failures_total\{work="flush"\} 1$/m);
  assert.match(text, /^logvend_failures_total\{work="seal"\} 0$/m);
  assert.match(text, /^logvend_seal_duration_seconds_sum 2$/m);
});
