/** What a command has of its surroundings: output streams, clock, Ctrl-C. */
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { stdoutLook } from "../../queries/answer/table_look.ts";
import type { TableLook } from "../../queries/answer/table_look.ts";
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
  /** What is typed, one line; null: nobody can. */
  readLine(prompt: string): Promise<string | null>;
  /** @throws when the signal aborts first */
  sleep(ms: number): Promise<void>;
}

/** A stopped command has this long for its last words, even where nobody reads them any more. */
const LAST_WORDS_MAX_MS = 2_000;

/** This process's own. Ctrl-C aborts its signal from here on; `last`: what is said then. */
export function processTerminal(last?: string): Terminal {
  const signal = stopSignal({ signals: ["SIGINT"], cleanUpMaxMs: LAST_WORDS_MAX_MS, last });
  return {
    stdoutIsTerminal: Deno.stdout.isTerminal(),
    progressOutput: Deno.stderr,
    tableLook: stdoutLook(),
    signal,
    now: Date.now,
    write: writeStdout,
    error: (line) => console.error(line),
    readLine,
    sleep: (ms) => sleep(ms, signal),
  };
}

export interface Stopping {
  /** What stops the process. */
  signals: readonly Deno.Signal[];
  /** A process that has not ended this long after the first of them is ended. */
  cleanUpMaxMs: number;
  /** What the process says at its end. @default of a question */
  last?: string | undefined;
}

/**
 * Aborts when the process is told to end. Further signals change nothing: one Ctrl-C comes twice
 * where `deno task` hands on what the terminal has sent already, and must not cut the cleaning up.
 */
export function stopSignal(
  { signals, cleanUpMaxMs, last = "Cancelled on every host" }: Stopping,
): AbortSignal {
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) return;
    stop.abort(new LogvendError("cancelled", last));
    Deno.unrefTimer(setTimeout(() => Deno.exit(EXIT_CODES.cancelled), cleanUpMaxMs));
  };
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  return stop.signal;
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Of a terminal, which hands over whole lines. */
async function readLine(prompt: string): Promise<string | null> {
  if (!Deno.stdin.isTerminal()) return null;
  Deno.stderr.writeSync(new TextEncoder().encode(prompt));
  const line = new Uint8Array(1_024);
  const length = await Deno.stdin.read(line);
  return length === null ? null : new TextDecoder().decode(line.subarray(0, length)).trimEnd();
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
