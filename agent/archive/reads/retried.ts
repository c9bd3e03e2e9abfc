/** Asks a store again that was busy or broke off: a few times, with full jitter. */
import { setTimeout as pause } from "node:timers/promises";
import { ObjectStoreError } from "../../../protocol/archive/object_store.ts";
import type { StoreProblem } from "../../../protocol/archive/object_store.ts";

/** What another moment may mend. The client has tried some of it again itself, within a second. */
const PASSING: readonly StoreProblem[] = ["busy", "truncated", "unreachable"];

/** A query waits for it: what takes longer is another agent's turn, or the asker's. */
const ATTEMPTS_MAX = 4;

/** Waits are at random below it, and it doubles. */
const FIRST_WAIT_MS = 200;

export interface RetryOptions {
  signal: AbortSignal;
  /** @default Math.random */
  random?: () => number;
  /** @throws the signal's reason */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** @throws what the last attempt has thrown, or the signal's reason */
export async function retried<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, random = Math.random, wait = waiting } = options;
  for (let failures = 0;; failures++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof ObjectStoreError && PASSING.includes(error.problem);
      if (!mayPass || failures + 1 >= ATTEMPTS_MAX) throw error;
      await wait(random() * FIRST_WAIT_MS * 2 ** failures, signal);
    }
  }
}

async function waiting(ms: number, signal: AbortSignal) {
  await pause(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
