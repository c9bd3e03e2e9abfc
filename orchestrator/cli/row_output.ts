/** Where the rows of an answer go as they come: to stdout as they are, as one JSON object, as a table. */
import type { Column } from "../../protocol/wire/messages.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { AnswerEnd } from "../api/events.ts";
import { JsonObject } from "./json_object.ts";
import { TableRows } from "./table_rows.ts";
import type { Terminal } from "./terminal.ts";

/** Takes the rows of one answer. */
export interface RowOutput {
  /** That they are asked for in. */
  format: RowFormat;
  /** Whether anything is written before the end. */
  isWritten: boolean;
  /** The first piece comes with the columns. */
  add(bytes: Uint8Array<ArrayBuffer>, columns: readonly Column[] | undefined): Promise<void>;
  end(end: AnswerEnd): Promise<void>;
  /** Forgets what has come; false: it is written already. */
  restart(): Promise<boolean>;
}

/** @param output as `-o` has it */
export function rowOutput(output: RowFormat | "table", terminal: Terminal): RowOutput {
  const write = (data: string | Uint8Array) => terminal.write(data);
  if (output === "table") {
    let table = new TableRows(terminal.tableLook);
    return {
      format: "jsonl",
      isWritten: false,
      add: (bytes) => Promise.resolve(table.add(bytes)),
      end: ({ columns }) => write(table.drawn(columns)),
      restart: () => {
        table = new TableRows(terminal.tableLook);
        return Promise.resolve(true);
      },
    };
  }
  let hasBegun = false;
  const written = (data: string | Uint8Array) => {
    hasBegun = true;
    return write(data);
  };
  const restart = () => Promise.resolve(!hasBegun);
  if (output === "json") {
    const json = new JsonObject(written);
    return {
      format: "json",
      isWritten: true,
      add: (bytes, columns) => json.rows(bytes, columns),
      end: (end) => json.end(end),
      restart,
    };
  }
  return { format: output, isWritten: true, add: written, end: () => Promise.resolve(), restart };
}
