/** The one object of `-o json`, written as its rows come: columns, rows, and what they cover. */
import type { Column } from "../../protocol/wire/messages.ts";
import type { AnswerEnd } from "../api/events.ts";

export class JsonObject {
  private hasBegun = false;
  /** The last piece of the rows, which may end with a newline too many. */
  private last: Uint8Array = new Uint8Array();

  constructor(private readonly write: (output: string | Uint8Array) => Promise<void>) {}

  /** Takes a piece of an array of rows; the first one comes with the columns. */
  async rows(bytes: Uint8Array, columns: readonly Column[] = []): Promise<void> {
    const { last } = this;
    this.last = bytes;
    if (this.hasBegun) await this.write(last);
    else await this.begin(columns);
  }

  async end({ columns, coverage, mode, query_id, elapsed_ms }: AnswerEnd): Promise<void> {
    if (!this.hasBegun) await this.begin(columns);
    const rest = JSON.stringify({ coverage, mode, query_id, elapsed_ms }).slice(1);
    const end = this.last.findLastIndex((byte) => byte !== NEWLINE) + 1;
    await this.write(this.last.subarray(0, end)); // it may begin within a character
    await this.write(`,${rest}\n`);
  }

  private async begin(columns: readonly Column[]) {
    this.hasBegun = true;
    await this.write(`{"columns":${JSON.stringify(columns)},"rows":`);
  }
}

const NEWLINE = 10;
