/** The line on a terminal that says how far a query is, and goes away again. */

export interface ProgressOutput {
  isTerminal(): boolean;
  writeSync(bytes: Uint8Array): number;
}

const CLEAR_LINE = "\r\x1b[K";

export class ProgressLine {
  private shown = false;
  private readonly enabled: boolean;

  /** Silent where nobody watches: not a terminal, or not wanted. */
  constructor(private readonly output: ProgressOutput, wanted: boolean) {
    this.enabled = wanted && output.isTerminal();
  }

  /** Shows a text in place of the one before. */
  show(text: string): void {
    if (!this.enabled) return;
    this.write(CLEAR_LINE + text);
    this.shown = true;
  }

  /** Takes the line away, before anything else is printed. */
  clear(): void {
    if (this.shown) this.write(CLEAR_LINE);
    this.shown = false;
  }

  private write(text: string) {
    this.output.writeSync(new TextEncoder().encode(text));
  }
}
