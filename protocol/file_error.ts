/** Why a file operation failed, for people: no error numbers, no path twice. */
import { messageOf } from "./errors.ts";

const REASONS = [
  [Deno.errors.NotFound, "no such file"],
  [Deno.errors.NotADirectory, "a folder of its path is a file"],
  [Deno.errors.FilesystemLoop, "its symbolic links lead in a circle"],
  [Deno.errors.NotCapable, "this program is not permitted to"],
] as const;

/** `no such file`, of `No such file or directory (os error 2): open '/x'`. */
export function reasonOf(error: unknown): string {
  const known = REASONS.find(([kind]) => error instanceof kind);
  if (known !== undefined) return known[1];
  const reason = messageOf(error).replace(/ \(os error \d+\).*$/s, "");
  return reason.slice(0, 1).toLowerCase() + reason.slice(1);
}
