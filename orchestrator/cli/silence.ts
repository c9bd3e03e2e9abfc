/** Gives up on an answer that nothing more is heard of. */

export class Silence implements Disposable {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout>;

  /** @param maxMs how long nothing may be heard */
  constructor(private readonly maxMs: number) {
    this.timer = this.start();
  }

  /** Aborts when it has been silent for too long. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Something was heard: the time starts anew. */
  heard(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  private start() {
    return setTimeout(() => this.controller.abort(), this.maxMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
  }
}
