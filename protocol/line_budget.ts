/** How many lines may go at so many a second. What nobody uses adds up, for one second. */
export class LineBudget {
  private spare: number;
  private countedMs: number;

  constructor(private readonly perSecond: number, private readonly now: () => number) {
    this.spare = perSecond;
    this.countedMs = now();
  }

  /** How many may go now. */
  available(): number {
    const nowMs = this.now();
    const earned = Math.max(0, nowMs - this.countedMs) / 1_000 * this.perSecond;
    this.spare = Math.min(this.perSecond, this.spare + earned);
    this.countedMs = nowMs;
    return Math.floor(this.spare);
  }

  /** Takes as many of `wanted` as may go now; returns how many those are. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.available());
    this.spare -= taken;
    return taken;
  }
}
