/** What was typed in the shell before, in a file of the user's own. */
import { dirname, join } from "node:path";

const LINES_MAX = 1_000;

/** $XDG_STATE_HOME/logvend/shell_history; null for who has no home. */
export function historyPath(variable: (name: string) => string | undefined): string | null {
  const home = variable("HOME");
  const state = variable("XDG_STATE_HOME") ||
    (home === undefined ? undefined : join(home, ".local", "state"));
  return state === undefined ? null : join(state, "logvend", "shell_history");
}

export class History {
  private constructor(private readonly path: string | null, readonly lines: readonly string[]) {}

  /** Begins with the last lines of the file, which is made when there is a line to keep. */
  static async open(path: string | null): Promise<History> {
    if (path === null) return new History(null, []);
    try {
      const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => line !== "");
      const last = lines.slice(-LINES_MAX);
      if (lines.length > 2 * LINES_MAX) await rewrite(path, last);
      return new History(path, last);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new History(path, []);
    }
  }

  /** Keeps a line. @throws when the file cannot be written */
  async add(line: string): Promise<void> {
    if (this.path === null || line.trim() === "") return;
    await Deno.mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(this.path, `${line}\n`, { append: true, mode: 0o600 });
  }
}

async function rewrite(path: string, lines: readonly string[]) {
  const temporary = `${path}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(temporary, `${lines.join("\n")}\n`, { mode: 0o600 });
  await Deno.rename(temporary, path);
}
