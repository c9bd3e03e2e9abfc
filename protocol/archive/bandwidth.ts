/** Slows what is sent down to a number of bytes in a second. */
import { setTimeout as wait } from "node:timers/promises";

/** What is sent at once: at the smallest bandwidth some seconds, and then the next. */
const BLOCK_BYTES = 65_536;

/** One for a store: all that it sends shares it. */
export class Bandwidth {
  /** When what was sent so far may be through. */
  private freeAtMs = 0;

  /** @param bytesPerSecond undefined: as much as goes */
  constructor(private readonly bytesPerSecond: number | undefined) {}

  /** The same bytes, each block when there is room for it. @throws the signal's reason */
  async *pace(bytes: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
      signal.throwIfAborted();
      const block = bytes.subarray(start, start + BLOCK_BYTES);
      await this.admit(block.length, signal);
      yield block;
    }
  }

  private async admit(bytes: number, signal: AbortSignal) {
    if (this.bytesPerSecond === undefined) return;
    const nowMs = performance.now();
    const startMs = Math.max(nowMs, this.freeAtMs);
    this.freeAtMs = startMs + bytes * 1_000 / this.bytesPerSecond;
    if (startMs > nowMs) await wait(startMs - nowMs, undefined, { signal });
  }
}
