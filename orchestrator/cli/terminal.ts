/** What a command has of its surroundings: output streams, clock, Ctrl-C. */
import { LogvendError } from "../../protocol/errors.ts";
import type { TableLook } from "../../queries/answer/table.ts";
import type { ProgressOutput } from "../progress.ts";

export interface Terminal {
  stdoutIsTerminal: boolean;
  progressOutput: ProgressOutput;
  tableLook: TableLook;
  /** Aborts on Ctrl-C, with the error to end with. */
  signal: AbortSignal;
  now(): number;
  /** To stdout, whole; rejects when nobody reads it any more. */
  write(data: string | Uint8Array): Promise<void>;
  /** A line to stderr. */
  error(line: string): void;
  /** @throws when the signal aborts first */
  sleep(ms: number): Promise<void>;
}

/** This process's own. Ctrl-C aborts its signal from here on; a second one ends the process. */
export function processTerminal(): Terminal {
  const stop = new AbortController();
  const onInterrupt = () => {
    Deno.removeSignalListener("SIGINT", onInterrupt);
    stop.abort(new LogvendError("cancelled", "Cancelled on every host"));
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  const stdoutIsTerminal = Deno.stdout.isTerminal();
  return {
    stdoutIsTerminal,
    progressOutput: Deno.stderr,
    tableLook: stdoutIsTerminal ? { width: Deno.consoleSize().columns, color: !Deno.noColor } : {},
    signal: stop.signal,
    now: Date.now,
    write: writeStdout,
    error: (line) => console.error(line),
    sleep: (ms) => sleep(ms, stop.signal),
  };
}

async function writeStdout(data: string | Uint8Array) {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}
