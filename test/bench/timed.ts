/** Times whole commands, with the processes that they start, on one core. */
import { Program, startProgram } from "../harness/program.ts";

export interface Timed {
  /** Seconds from start to end. */
  wall: number;
  /** Seconds of a core, of all processes. */
  cpu: number;
  stdout: string;
  /** Seconds from start to the line asked for; NaN: none was. */
  line: number;
}

const TIMEOUT_MS = 600_000;

/** Bash knows what the processes that it waited for have used. */
const SCRIPT = `TIMEFORMAT='%R %U %S'; time taskset -c 0 "$@"`;

/**
 * Runs a command on core 0. `line`: what a line of its output must match to have its time taken.
 * @throws when it fails
 */
export async function timed(args: readonly string[], line?: RegExp): Promise<Timed> {
  const startedMs = performance.now();
  await using program = startProgram({ command: "bash", args: ["-c", SCRIPT, "bash", ...args] });
  const seen = line === undefined ? Promise.resolve(NaN) : secondsTo(program, line, startedMs);
  const { code, stdout, stderr } = await program.ended(TIMEOUT_MS);
  if (code !== 0) throw new Error(stderr);
  const [wall = NaN, user = NaN, system = NaN] = (stderr.trim().split("\n").at(-1) ?? "")
    .split(" ").map(Number);
  return { wall, cpu: user + system, stdout, line: await seen };
}

async function secondsTo(program: Program, line: RegExp, startedMs: number): Promise<number> {
  await program.waitForLine(line, TIMEOUT_MS);
  return (performance.now() - startedMs) / 1_000;
}
