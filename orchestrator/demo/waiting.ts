/** Waiting in the demo: never for ever, and never past Ctrl-C or the end of a program. */
import { LogvendError } from "../../protocol/errors.ts";
import { aborted } from "../cli/terminal.ts";
import type { Fleet } from "./fleet.ts";

/** How long any single step may take before the demo gives up. */
const STEP_TIMEOUT_MS = 180_000;
const POLL_MS = 100;

/** Ctrl-C reaches the programs of the fleet too: their end may be noticed this much earlier. */
const ABORT_LATE_MAX_MS = 500;

/** What ends a wait early: a program that dies, and the user. */
export interface Waiting {
  fleet: Fleet;
  signal: AbortSignal;
}

/**
 * Polls until `done`.
 * @throws {LogvendError} timeout; unavailable when a program of the fleet dies; cancelled
 */
export async function until(
  what: string,
  { fleet, signal }: Waiting,
  done: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + STEP_TIMEOUT_MS;
  const ended = Promise.race([fleet.failure(), failureOf(signal)]);
  while (!await Promise.race([done(), ended])) {
    if (performance.now() > deadlineMs) {
      throw new LogvendError("timeout", `Waited ${STEP_TIMEOUT_MS / 1_000} s until ${what}`);
    }
    await Promise.race([sleep(POLL_MS), ended]);
  }
}

/** Says whether an error is what Ctrl-C leaves behind: the signal aborts now, or in a moment. */
export async function abortsSoon(signal: AbortSignal): Promise<boolean> {
  await Promise.race([aborted(signal), sleep(ABORT_LATE_MAX_MS)]);
  return signal.aborted;
}

async function failureOf(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw new LogvendError("cancelled", "Stopped");
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
