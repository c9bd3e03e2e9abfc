/** The rows of `-o table`: as many as are drawn are kept, whose widths need all of them; more are counted. */
import type { Column } from "../../protocol/wire/messages.ts";
import { renderTable } from "../../queries/answer/table.ts";
import type { JsonValue, TableLook } from "../../queries/answer/table.ts";

/** Drawn where nobody says otherwise: what hosts ship at most, unless more is asked for. */
export const TABLE_ROWS_MAX = 100_000;

export class TableRows {
  private readonly rows: Record<string, JsonValue>[] = [];
  private readonly decoder = new TextDecoder();
  private rest = "";
  private rowCount = 0;

  constructor(private readonly look: TableLook) {}

  /** Takes a piece of JSON lines. */
  add(bytes: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(bytes, { stream: true })).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") continue;
      if (this.rowCount++ < (this.look.rowsMax ?? TABLE_ROWS_MAX)) this.rows.push(JSON.parse(line));
    }
  }

  /** To be called when all rows are here, each with its newline. */
  drawn(columns: readonly Column[]): string {
    return renderTable(columns, this.rows, this.look, this.rowCount);
  }
}
