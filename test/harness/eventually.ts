/** Waits for a condition that no event announces. */

/** How long a condition may take, unless the test says otherwise: on a machine with ten times the work. */
const DEADLINE_MS = 180_000;

/** Between two looks: short beside what tests wait for, long beside a look. */
const INTERVAL_MS = 25;

/**
 * Calls `look` until it neither throws nor returns undefined or false; returns what it returned.
 * @throws what `look` threw last, or an error naming it, once the deadline is over
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<Exclude<T, undefined | false>> {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= endsAt) {
      throw failure ?? new Error(`Not so within ${deadlineMs} ms: ${look.toString()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
