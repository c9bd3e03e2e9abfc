/** Ctrl-C in a command that has an end of its own. */
import { LogvendError } from "../../protocol/errors.ts";

/** Aborts on SIGINT, with the error that the command then ends with. */
export function interruptSignal(message: string): AbortSignal {
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort(new LogvendError("cancelled", message)));
  return stop.signal;
}
