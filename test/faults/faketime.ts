/** Programs that see another time: libfaketime, where the Debian package of that name is. */
import { join } from "node:path";

/** The library's path, or null. */
export function faketimeLibrary(): string | null {
  for (const architecture of ["x86_64-linux-gnu", "aarch64-linux-gnu"]) {
    const path = join("/usr/lib", architecture, "faketime/libfaketime.so.1");
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Not of this architecture.
    }
  }
  return null;
}

/** What programs see from now on: never half of it, however they look. */
export async function setClock(file: string, time: string): Promise<void> {
  await Deno.writeTextFile(`${file}.next`, time);
  await Deno.rename(`${file}.next`, file);
}

/**
 * The environment of a program whose wall clock is what `file` says, anew at every look; its
 * monotonic clock stays true, as a host's does when somebody sets the time.
 * https://github.com/wolfcw/libfaketime
 */
export function faketimeEnvironment(file: string): Record<string, string> {
  const library = faketimeLibrary();
  if (library === null) throw new Error("libfaketime is not installed");
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}
