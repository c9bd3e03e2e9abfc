/** Runs the tools of the build. */

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** @default 10 minutes */
  timeoutMs?: number;
}

const TIMEOUT_MS = 10 * 60_000;

/** Runs a tool to its end; returns its output. @throws with its errors when it fails or hangs */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeoutMs = TIMEOUT_MS }: CommandOptions = {},
): Promise<string> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    signal: timeout,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (success) return text(stdout);
  const why = timeout.aborted ? `not done after ${timeoutMs / 1_000} s` : text(stderr);
  throw new Error(`${command} ${args.join(" ")}\n${why}`);
}
