/** Seeded random numbers: the same seed gives the same traffic on every machine. */

/** A number in [0, 1) with each call. */
export type Random = () => number;

/** mulberry32: 32 bits of state, enough for log lines, not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Items with their shares, in any unit. */
export type Shares<T> = readonly (readonly [T, number])[];

/** Makes a function that draws items by their shares. */
export function drawing<T>(shares: Shares<T>): (random: Random) => T {
  const total = shares.reduce((sum, [, share]) => sum + share, 0);
  return (random) => {
    let left = random() * total;
    for (const [item, share] of shares) {
      left -= share;
      if (left < 0) return item;
    }
    const last = shares.at(-1);
    if (last === undefined) throw new Error("Nothing to draw from");
    return last[0];
  };
}

/**
 * Draws a rank in [1, count], a rank being drawn nearly in inverse proportion to itself plus one
 * (Zipf and Mandelbrot); rank 1 has ln(1.5) / ln((count + 2) / 2) of all draws.
 */
export function drawRank(random: Random, count: number): number {
  return Math.min(count, Math.floor(2 * ((count + 2) / 2) ** random()) - 1);
}

/** A normally distributed number (Box and Muller), mean 0, deviation 1. */
export function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mixes a number into 32 bits that look random: properties of the n-th visitor. */
export function scramble(value: number): number {
  let h = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
