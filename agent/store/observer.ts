/** What the store tells whoever watches over it: how long its work took, and what stands in its way. */

/** Told after the fact. */
export interface StoreObserver {
  /** A flush that wrote rows has ended. */
  flushed(seconds: number): void;
  /** One hour was sealed. */
  sealed(seconds: number): void;
  /** Work that will be tried again has failed. */
  failed(work: "flush" | "seal" | "upload"): void;
}

/** How the store is. */
export interface StoreCondition {
  /** Memory may hold half of a batch: nothing can become durable any more. */
  broken: boolean;
  /** Why the last flush failed; null when it did not. */
  writeError: string | null;
  /** Why reading pauses although parts can be written; null while it goes on. */
  paused: string | null;
  /** Since a flush was tried last, milliseconds. */
  flushStoodMs: number;
  /** Rows that are not durable yet. */
  waitingRows: number;
}
