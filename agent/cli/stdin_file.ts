/** Standard input as a file: it comes once, and files are read as often as it takes. */
import { join } from "node:path";

/** Writes all of it into a folder, whose owner removes it; returns the path. */
export async function stdinFile(folder: string, signal: AbortSignal): Promise<string> {
  const path = join(folder, "stdin");
  const file = await Deno.open(path, { createNew: true, write: true });
  await Deno.stdin.readable.pipeTo(file.writable, { signal });
  return path;
}
