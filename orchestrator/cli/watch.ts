/** `--watch`: one command again and again, each answer in place of the one before. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Terminal } from "./terminal.ts";

/** The cursor to the first place, and nothing below it. */
const REDRAW = "\x1b[H\x1b[2J";

/** What the next round would fail with too. */
const LASTING: readonly ErrorCode[] = ["usage", "bad_sql", "bad_config", "not_permitted"];

export interface Watch {
  everyMs: number;
  terminal: Terminal;
  /** Asks once; returns the exit code. */
  round(terminal: Terminal): Promise<number>;
}

/**
 * Runs until Ctrl-C; returns the exit code of the last round. A round that fails is said, and the
 * next one tries again.
 * @throws {LogvendError} for what is wrong from the start
 */
export async function watch({ everyMs, terminal, round }: Watch): Promise<number> {
  let code: number | null = null;
  for (;;) {
    const startedMs = performance.now();
    try {
      code = await (terminal.stdoutIsTerminal ? redrawn(terminal, round) : round(terminal));
    } catch (error) {
      if (terminal.signal.aborted && code !== null) return code;
      if (!(error instanceof LogvendError) || terminal.signal.aborted) throw error;
      if (code === null && LASTING.includes(error.code)) throw error;
      code = error.exitCode;
      terminal.error(`${messageOf(error)}; asking again`);
    }
    const restMs = Math.max(0, everyMs - (performance.now() - startedMs));
    if (!await terminal.sleep(restMs).then(() => true, () => false)) return code;
  }
}

/** What the last round has left stays until the next one is whole. */
async function redrawn(terminal: Terminal, round: Watch["round"]): Promise<number> {
  const rows: (string | Uint8Array)[] = [];
  const said: string[] = [];
  const code = await round({
    ...terminal,
    stdoutIsTerminal: false, // nothing is drawn before the whole is
    write: (data) => Promise.resolve(void rows.push(data)),
    error: (line) => said.push(line),
  });
  await terminal.write(REDRAW);
  for (const data of rows) await terminal.write(data);
  for (const line of said) terminal.error(line);
  return code;
}
