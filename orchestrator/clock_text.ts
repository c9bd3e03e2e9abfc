/** A time as people read it beside a clock. Pure. */

const DAY_MS = 86_400_000;

/** UTC, `02:00`; with its date when that is not obvious. */
export function clockText(iso: string, nowMs: number): string {
  const isRecent = Math.abs(nowMs - Date.parse(iso)) < DAY_MS;
  return isRecent ? iso.slice(11, 16) : iso.slice(0, 16).replace("T", " ");
}
