/** Metrics of the agent's own process, under the names that Prometheus' clients agree on. */
import { cpuUsage } from "node:process";
import type { Registry } from "prom-client";
import { addCounter, addGauge } from "./collected.ts";

/** Adds memory, processor time and start. */
export function addProcess(registry: Registry) {
  const startedS = Date.now() / 1_000;
  addGauge(registry, {
    name: "process_resident_memory_bytes",
    help: "Resident memory of the agent, without its helper processes",
    collect: (report) => report(Deno.memoryUsage().rss),
  });
  addGauge(registry, {
    name: "process_start_time_seconds",
    help: "Start of the agent, seconds since 1970",
    collect: (report) => report(startedS),
  });
  addCounter(registry, {
    name: "process_cpu_seconds_total",
    help: "Processor time of the agent, without its helper processes",
    collect: (report) => {
      const { user, system } = cpuUsage();
      report((user + system) / 1e6);
    },
  });
}
