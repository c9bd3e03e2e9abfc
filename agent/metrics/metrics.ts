/** The agent's metrics, in Prometheus' text format: what it counts itself, and what it is asked. */
import { Counter, Histogram, Registry } from "prom-client";
import { LogvendError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { HostAnswerer } from "../store/answer.ts";
import type { StoreObserver } from "../store/observer.ts";
import { addGauge } from "./collected.ts";
import { addProcess } from "./process.ts";
import { addSources } from "./sources.ts";
import type { AgentState } from "./sources.ts";

/** How a query ended: with an answer, or an error of a closed set. */
type QueryResult = "ok" | ErrorCode;

/** From a flush of a quiet host to an hour of millions of rows on a busy disk. */
const WORK_BUCKETS_S = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const QUERY_BUCKETS_S = [0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

export class Metrics implements StoreObserver {
  private readonly registry = new Registry();
  private readonly flushes = new Histogram({
    name: "logvend_flush_duration_seconds",
    help: "Flushes that wrote rows to parts",
    buckets: WORK_BUCKETS_S,
    registers: [this.registry],
  });
  private readonly seals = new Histogram({
    name: "logvend_seal_duration_seconds",
    help: "Hours sealed into a chunk",
    buckets: WORK_BUCKETS_S,
    registers: [this.registry],
  });
  private readonly failures = new Counter({
    name: "logvend_failures_total",
    help: "Work that failed and is tried again",
    labelNames: ["work"],
    registers: [this.registry],
  });
  private readonly queries = new Histogram({
    name: "logvend_query_duration_seconds",
    help: "Queries of the fleet, planned, run and written, by how they ended",
    labelNames: ["result"],
    buckets: QUERY_BUCKETS_S,
    registers: [this.registry],
  });

  private readonly refusals = new Counter({
    name: "logvend_query_refusals_total",
    help: "Queries and tails of the fleet that the policy refused or stopped, by its rule",
    labelNames: ["rule"],
    registers: [this.registry],
  });
  private readonly windows = new Histogram({
    name: "logvend_window_count_seconds",
    help: "Windows of one stream counted together, from asking to the last event",
    buckets: QUERY_BUCKETS_S,
    registers: [this.registry],
  });
  private readonly deliveries = new Histogram({
    name: "logvend_sink_send_seconds",
    help: "Batches that a sink has taken",
    labelNames: ["sink"],
    buckets: QUERY_BUCKETS_S,
    registers: [this.registry],
  });

  private state: AgentState | null = null;

  constructor({ host, region, version }: { host: string; region: string; version: string }) {
    for (const work of ["flush", "seal", "upload"]) this.failures.inc({ work }, 0);
    addProcess(this.registry);
    addGauge(this.registry, {
      name: "logvend_agent_info",
      help: "Always 1",
      labels: ["host", "region", "version"],
      collect: (report) => report(1, { host, region, version }),
    });
    addSources(this.registry, () => {
      if (this.state === null) throw new Error("Nobody scrapes");
      return this.state;
    });
  }

  flushed(seconds: number) {
    this.flushes.observe(seconds);
  }

  sealed(seconds: number) {
    this.seals.observe(seconds);
  }

  windowsCounted(seconds: number) {
    this.windows.observe(seconds);
  }

  delivered(sink: string, seconds: number) {
    this.deliveries.observe({ sink }, seconds);
  }

  failed(work: "flush" | "seal" | "upload") {
    this.failures.inc({ work });
  }

  /** The same answers, each of them observed: how long it took and how it ended. */
  timed(answer: HostAnswerer): HostAnswerer {
    return async (query, signal) => {
      if (query.explain) return await answer(query, signal); // it is no query
      const startedMs = performance.now();
      const ended = (result: QueryResult) => {
        this.queries.observe({ result }, (performance.now() - startedMs) / 1_000);
      };
      try {
        const answered = await answer(query, signal);
        ended("ok");
        return answered;
      } catch (error) {
        ended(error instanceof LogvendError ? error.code : "internal");
        this.refused(error);
        throw error;
      }
    };
  }

  /** Counts what was refused by the policy, and nothing else. */
  refused(error: unknown) {
    const rule = error instanceof LogvendError ? error.details.rule : undefined;
    if (rule !== undefined) this.refusals.inc({ rule });
  }

  /** The page of a scrape, and its content type. `state`: the agent as it is now. */
  async page(state: AgentState): Promise<{ text: string; contentType: string }> {
    this.state = state;
    return { text: await this.registry.metrics(), contentType: this.registry.contentType };
  }
}
