/** The body of a response that is written as the client reads it, and ends when it does not. */
import { LogvendError } from "../../protocol/errors.ts";
import { formatDurationMs } from "../../protocol/units.ts";

/** Blocks that wait to be taken: one is on its way while the next one is made. */
const WAITING_MAX = 2;

export class ClientStream {
  readonly readable: ReadableStream<Uint8Array>;
  private readonly left = new AbortController();
  private controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Resolves when there is room again; null: there is. */
  private room: PromiseWithResolvers<void> | null = null;

  /** @param stallMs a client that takes nothing for so long has gone */
  constructor(private readonly stallMs: number) {
    this.readable = new ReadableStream({
      start: (controller) => void (this.controller = controller),
      pull: () => this.taken(),
      cancel: () => this.leave(),
    }, { highWaterMark: WAITING_MAX });
  }

  /** Aborts when nobody reads on. */
  get gone(): AbortSignal {
    return this.left.signal;
  }

  /** Resolves when the client has room for more. @throws when it has gone */
  async write(bytes: Uint8Array): Promise<void> {
    this.gone.throwIfAborted();
    const { controller } = this;
    controller?.enqueue(bytes); // may find that the client has gone
    this.gone.throwIfAborted();
    if ((controller?.desiredSize ?? 0) > 0) return;
    this.room ??= Promise.withResolvers();
    const timer = setTimeout(() => this.abort(this.stalled()), this.stallMs);
    await this.room.promise.finally(() => clearTimeout(timer));
  }

  close(): void {
    if (!this.gone.aborted) this.controller?.close();
  }

  /** Breaks the connection off: what was written is not the whole. */
  abort(reason: unknown): void {
    if (!this.gone.aborted) this.controller?.error(reason);
    this.leave(reason);
  }

  private leave(reason?: unknown) {
    this.left.abort(reason);
    this.room?.reject(this.gone.reason);
  }

  private taken() {
    this.room?.resolve();
    this.room = null;
  }

  private stalled(): LogvendError {
    const time = formatDurationMs(this.stallMs);
    return new LogvendError("timeout", `The client took nothing of the answer for ${time}`);
  }
}

/** Streams blocks; what fails among them breaks the connection off. */
export function streamed(
  blocks: AsyncIterable<Uint8Array>,
  stallMs: number,
): ReadableStream<Uint8Array> {
  const stream = new ClientStream(stallMs);
  const whole = async () => {
    for await (const block of blocks) await stream.write(block);
    stream.close();
  };
  whole().catch((error) => stream.abort(error));
  return stream.readable;
}
