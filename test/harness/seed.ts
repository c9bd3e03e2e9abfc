/**
 * What chance there is in tests: the same at every run, so that a change and nothing else makes them
 * fail. `LOGVEND_SEED` makes it another, `LOGVEND_TIMES` more of it; `deno task random` does both.
 */

export const SEED = wholeNumber("LOGVEND_SEED", { min: 0, fallback: 1 });
const TIMES = wholeNumber("LOGVEND_TIMES", { min: 1, fallback: 1 });

/** How many cases a test tries that tries `count` of them every day. */
export function times(count: number): number {
  return count * TIMES;
}

function wholeNumber(name: string, { min, fallback }: { min: number; fallback: number }): number {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value < 2 ** 31) return value;
  throw new Error(`${name}: found "${text}"; wanted a whole number from ${min} on`);
}
