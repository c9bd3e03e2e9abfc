/** Metrics whose values are asked for at every scrape, instead of counted along the way. */
import { Counter, Gauge, Histogram } from "prom-client";
import type { MetricValueWithName, Registry } from "prom-client";

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

/** A histogram that is kept elsewhere: counts by bound, ascending, and what they count. */
export interface CollectedHistogram {
  labels: Record<string, string>;
  count: number;
  sum: number;
  within: ReadonlyMap<number, number>;
}

/** Histograms whose counts are asked for at every scrape: prom-client's own are observed one by one. */
export function addHistogram(
  registry: Registry,
  { name, help, collect }: { name: string; help: string; collect(): CollectedHistogram[] },
) {
  const values = (): MetricValueWithName<string>[] =>
    collect().flatMap(({ labels, count, sum, within }) => {
      const bucket = (le: string, value: number) => {
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value };
      };
      return [
        ...[...within].map(([bound, value]) => bucket(String(bound), value)),
        bucket("+Inf", count),
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
  const model = new Histogram({ name, help, registers: [] }); // says what a histogram is called
  const written = new Gauge({ name, help, registers: [registry] });
  written.get = async () => ({ ...await model.get(), values: values() });
}
