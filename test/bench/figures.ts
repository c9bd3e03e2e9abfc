/** Summaries of repeated measurements. */

/** The p-th quantile (0 to 1) of some measurements, the nearest one that was measured. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}

/** `p50 12.3  p95 20.1  max 31.0` */
export function spread(values: readonly number[]): string {
  const at = (p: number) => quantile(values, p).toFixed(1);
  return `p50 ${at(0.5)}  p95 ${at(0.95)}  max ${at(1)}`;
}
