/** Surroundings of a command that runs in this process: what it prints is kept. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Terminal } from "../../orchestrator/cli/terminal.ts";

export class CapturedTerminal implements Terminal {
  stdout = "";
  stderr = "";
  /** What is typed when it is asked for; null: nobody is there. */
  typed: string | null = null;
  readonly stdoutIsTerminal = false;
  readonly progressOutput = {
    isTerminal: () => false,
    writeSync: (data: Uint8Array) => data.length,
  };
  readonly tableLook = {};
  readonly signal = new AbortController().signal;
  private readonly decoder = new TextDecoder();

  now(): number {
    return Date.now();
  }

  write(data: string | Uint8Array): Promise<void> {
    this.stdout += typeof data === "string" ? data : this.decoder.decode(data, { stream: true });
    return Promise.resolve();
  }

  error(line: string): void {
    this.stderr += `${line}\n`;
  }

  readLine(): Promise<string | null> {
    return Promise.resolve(this.typed);
  }

  async sleep(ms: number): Promise<void> {
    await sleep(ms);
  }
}
