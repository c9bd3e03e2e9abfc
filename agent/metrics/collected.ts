/** Metrics whose values are asked for at every scrape, instead of counted along the way. */
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

/** One value under some labels. */
export type Report = (value: number, labels?: Record<string, string>) => void;

export interface Collected {
  /** A counter's name ends in _total. */
  name: string;
  help: string;
  /** @default none */
  labels?: readonly string[];
  collect(report: Report): void;
}

/** A value that goes up and down. */
export function addGauge(registry: Registry, { name, help, labels = [], collect }: Collected) {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      collect((value, of = {}) => this.set(of, value));
    },
  });
}

/** A sum that only grows, kept elsewhere. */
export function addCounter(registry: Registry, { name, help, labels = [], collect }: Collected) {
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      collect((value, of = {}) => this.inc(of, value));
    },
  });
}
