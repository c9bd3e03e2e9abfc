/** Runs critical sections one after the other, in the order they were asked for. */
export class Mutex {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(section: () => T | Promise<T>): Promise<T> {
    const result = this.last.then(section);
    this.last = result.catch(() => {}); // its own caller sees the failure
    return result;
  }
}
