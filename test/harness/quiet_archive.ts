/**
 * How often agents of a test send to their archive. Each does so at a moment that its name gives it: a
 * test that runs at that minute of the hour would find uploads and manifests that it has not asked for.
 */
import { nextMoment } from "../../agent/archive/schedule.ts";

/** Longer than any test takes on a machine with ten times the work. */
const QUIET_MS = 30 * 60_000;

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/** For `every:` of their archive: none of these hosts' moments, of uploads or the catalog, is near. */
export function quietEvery(hosts: readonly string[], nowMs: number = Date.now()): string {
  const names = hosts.flatMap((host) => [host, `${host} catalog`]);
  for (let minutes = DAY_MINUTES; minutes >= QUIET_MS / MINUTE_MS; minutes--) {
    const waitsMs = names.map((name) => nextMoment(name, minutes * MINUTE_MS, nowMs) - nowMs);
    if (waitsMs.every((waitMs) => waitMs >= QUIET_MS)) return `${minutes}m`;
  }
  throw new Error(`Every period has a moment of ${hosts.join(", ")} in the next half an hour`);
}
