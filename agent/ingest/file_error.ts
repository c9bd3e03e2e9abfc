/** Why a file operation failed, for people: no error numbers, no path twice. */
import { messageOf } from "../../protocol/errors.ts";

/** `No such file or directory`, of `No such file or directory (os error 2): open '/x'`. */
export function reasonOf(error: unknown): string {
  return messageOf(error).replace(/ \(os error \d+\).*$/s, "");
}
