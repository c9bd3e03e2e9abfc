/** Ends a call that does not get on: a line that swallows everything never says so. */

/** A call that has to get on. */
export interface Patience extends Disposable {
  /** Aborted by the caller's signal, or when nothing happened for too long. */
  signal: AbortSignal;
  /** Something happened; what comes next may take `moreMs` longer. @default 0 */
  touch(moreMs?: number): void;
  /** The caller's reason, or that nothing happened. */
  throwIfAborted(): void;
}

/** @param stallMs how long nothing may happen */
export function patience(signal: AbortSignal, stallMs: number): Patience {
  const stalled = new AbortController();
  const give = () => stalled.abort(new Error(`nothing moved for ${stallMs / 1_000} s`));
  let timer = setTimeout(give, stallMs);
  const either = AbortSignal.any([signal, stalled.signal]);
  return {
    signal: either,
    touch(moreMs = 0) {
      clearTimeout(timer);
      timer = setTimeout(give, stallMs + moreMs);
    },
    throwIfAborted: () => either.throwIfAborted(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
