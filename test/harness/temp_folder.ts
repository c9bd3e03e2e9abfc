/** A temporary folder that is gone when the test is over. */
import { dirname, join } from "node:path";
import { eventually } from "./eventually.ts";

/** `await using folder = await TempFolder.make()` */
export class TempFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Makes an empty folder. */
  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "logvend-test-" }));
  }

  /** The path of a file in it. */
  join(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Writes a file, and the folders above it; returns its path. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    const path = this.join(name);
    await Deno.mkdir(dirname(path), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else await Deno.writeFile(path, content);
    return path;
  }

  async [Symbol.asyncDispose]() {
    // A killed program's own children end a moment after it, and may write until then.
    await eventually(() => Deno.remove(this.path, { recursive: true }).then(() => true));
  }
}

/** Copies a folder with all that is in it. */
export async function copyFolder(from: string, to: string) {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
