/** Time as a program sees it, whatever else the machine does. */
import process from "node:process";

/**
 * How often the event loop goes round, at most once a millisecond, until `work` is done. Where the
 * machine is busy a turn takes longer, and no more of them are needed: a bound on turns is one on
 * milliseconds where nothing else runs, and never fails for want of CPU.
 */
export async function turnsOf(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  const settled = work.finally(() => isDone = true);
  let turns = 0;
  for (; !isDone; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
  await settled;
  return turns;
}

/** Milliseconds of CPU that this process takes for something that waits for nothing. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
