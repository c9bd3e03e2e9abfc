/** Lines per second between two looks at a counter. */
export class LineRate {
  private lines: number;
  private atMs: number;

  constructor(private readonly total: () => number) {
    this.lines = total();
    this.atMs = performance.now();
  }

  /** Since the last call, one decimal. */
  perSecond(): number {
    const lines = this.total();
    const nowMs = performance.now();
    const rate = (lines - this.lines) * 1_000 / Math.max(1, nowMs - this.atMs);
    this.lines = lines;
    this.atMs = nowMs;
    return Math.round(rate * 10) / 10;
  }
}
