/** Spreads requests over time as people do: few at night, many in the evening (UTC). */
import { HOUR_PROFILE } from "./vocabulary.ts";

const HOUR_MS = 3_600_000;

/** Maps a share in [0, 1) of all requests of a range to the time by which that share has come. */
export function hourProfile(startMs: number, endMs: number): (share: number) => number {
  const stretches: { fromMs: number; toMs: number; upTo: number }[] = [];
  let total = 0;
  for (let fromMs = startMs; fromMs < endMs;) {
    const hour = Math.floor(fromMs / HOUR_MS);
    const toMs = Math.min(endMs, (hour + 1) * HOUR_MS);
    const weight = HOUR_PROFILE[((hour % 24) + 24) % 24] ?? 1;
    total += weight * (toMs - fromMs);
    stretches.push({ fromMs, toMs, upTo: total });
    fromMs = toMs;
  }
  // Shares are asked for in rising order: the search goes on where it stopped.
  let at = 0;
  return (share) => {
    const wanted = share * total;
    if (wanted < (stretches[at - 1]?.upTo ?? 0)) at = 0;
    while (at < stretches.length - 1 && wanted >= (stretches[at]?.upTo ?? 0)) at++;
    const stretch = stretches[at];
    if (stretch === undefined) return startMs;
    const before = stretches[at - 1]?.upTo ?? 0;
    const part = (wanted - before) / (stretch.upTo - before);
    return Math.floor(stretch.fromMs + part * (stretch.toMs - stretch.fromMs));
  };
}
