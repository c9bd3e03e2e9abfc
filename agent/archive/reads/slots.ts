/** Lets only so many tasks run at once; the others wait in their order. */
export class Slots {
  private readonly waiting: { taken: number; start: () => void }[] = [];
  private free: number;

  constructor(private readonly count: number) {
    this.free = count;
  }

  /** Runs a task when its turn has come. @param slots that it takes; of more than there are, all */
  async run<T>(task: () => Promise<T>, slots = 1): Promise<T> {
    const taken = Math.min(slots, this.count);
    if (this.waiting.length === 0 && taken <= this.free) this.free -= taken;
    else await new Promise<void>((start) => this.waiting.push({ taken, start }));
    try {
      return await task();
    } finally {
      this.free += taken;
      this.startNext();
    }
  }

  private startNext() {
    for (;;) {
      const [next] = this.waiting;
      if (next === undefined || next.taken > this.free) return;
      this.waiting.shift();
      this.free -= next.taken;
      next.start();
    }
  }
}
