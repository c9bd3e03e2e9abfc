/** The folder of a demo: a key, logs and stores that nobody else shall read, and gone afterwards. */

/** A killed agent's own children may write for a moment longer, which makes a removal fail. */
const REMOVE_ATTEMPTS_MAX = 20;
const REMOVE_EVERY_MS = 250;

/** `await using folder = await DemoFolder.make()` */
export class DemoFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Makes an empty one, for this user alone. */
  static async make(): Promise<DemoFolder> {
    return new DemoFolder(await Deno.makeTempDir({ prefix: "logvend-demo-" }));
  }

  /** @throws when it cannot be removed even after a while */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        return await Deno.remove(this.path, { recursive: true });
      } catch (error) {
        if (attempt === REMOVE_ATTEMPTS_MAX) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, REMOVE_EVERY_MS));
    }
  }
}
