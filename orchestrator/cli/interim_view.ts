/** Shows at a terminal what an answer would be by now, until something else takes its place. */
import { counted } from "../../protocol/units.ts";
import { renderTable } from "../../queries/answer/table.ts";
import type { InterimEvent } from "../api/events.ts";
import type { Terminal } from "./terminal.ts";

export class InterimView {
  private lines = 0;

  constructor(private readonly terminal: Terminal) {}

  async show({ columns, rows, answered, asked }: InterimEvent): Promise<void> {
    const table = renderTable(columns, rows, this.terminal.tableLook);
    await this.draw(`${table}so far: ${answered} of ${counted(asked, "host")}\n`);
  }

  /** Takes it away. */
  async clear(): Promise<void> {
    if (this.lines > 0) await this.draw("");
  }

  private async draw(text: string) {
    const erase = this.lines === 0 ? "" : `\x1b[${this.lines}A\x1b[J`;
    this.lines = text.split("\n").length - 1;
    await this.terminal.write(erase + text);
  }
}
