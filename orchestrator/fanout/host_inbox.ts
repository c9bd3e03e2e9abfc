/** Puts one host's result messages in order and holds them until its last word. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { RESULTS_IN_FLIGHT_MAX } from "../../protocol/wire/messages.ts";
import type { ResultEnd, ResultMessage, ResultPart } from "../../protocol/wire/messages.ts";
import type { Part } from "../../queries/transfer/import.ts";

/** One part of a host's partial table: texts, or a finished Parquet file. */
export interface TablePart {
  table: string;
  part: Part;
}

export interface HostInboxOptions {
  host: string;
  /** The folder for Parquet files, made when the first one comes. */
  folder: () => string;
}

interface SliceFile {
  path: string;
  file: Deno.FsFile;
  size: number;
}

export class HostInbox implements Disposable {
  /** Set when the last message has come, and all before it. */
  end: ResultEnd | null = null;
  private readonly parts: TablePart[] = [];
  private readonly files = new Map<string, SliceFile>();
  private readonly early = new Map<number, ResultMessage>();
  private nextSeq = 0;

  constructor(private readonly options: HostInboxOptions) {}

  /**
   * Takes a message in any order; one that came before changes nothing. Returns the `seq` up to
   * which everything is here (-1: nothing yet).
   * @throws {LogvendError} usage, for what no honest agent sends
   */
  take(message: ResultMessage): number {
    if (message.seq >= this.nextSeq + RESULTS_IN_FLIGHT_MAX) {
      throw malformed(`sent message ${message.seq} before ${this.nextSeq} was acknowledged`);
    }
    if (message.seq >= this.nextSeq && this.end === null) this.early.set(message.seq, message);
    for (;;) {
      const next = this.early.get(this.nextSeq);
      if (next === undefined) return this.nextSeq - 1;
      this.early.delete(this.nextSeq++);
      this.append(next);
    }
  }

  /** Everything that came, files closed. To be called once, after `end` is set. */
  finish(): TablePart[] {
    for (const { file } of this.files.values()) file.close();
    const files = [...this.files].map(([table, { path }]): TablePart => ({
      table,
      part: { encoding: "parquet", file: path },
    }));
    this.files.clear();
    return [...this.parts, ...files];
  }

  private append(message: ResultMessage) {
    for (const part of message.parts) {
      if (part.encoding === "parquet") this.appendSlice(part);
      else {
        const { columns, values } = part;
        this.parts.push({
          table: part.table,
          part: { encoding: "text", columns, values },
        });
      }
    }
    if (message.end !== undefined) this.end = message.end;
  }

  private appendSlice(part: Extract<ResultPart, { encoding: "parquet" }>) {
    const slices = this.files.get(part.table) ?? this.create(part.table);
    if (part.offset !== slices.size) {
      throw malformed(`sent bytes at ${part.offset} where ${slices.size} was next`);
    }
    const bytes = Uint8Array.fromBase64(part.base64);
    for (let at = 0; at < bytes.length;) at += slices.file.writeSync(bytes.subarray(at));
    slices.size += bytes.length;
  }

  private create(table: string): SliceFile {
    const path = join(this.options.folder(), `${this.options.host}.${this.files.size}.parquet`);
    const file = Deno.openSync(path, { write: true, createNew: true });
    const slices = { path, file, size: 0 };
    this.files.set(table, slices);
    return slices;
  }

  [Symbol.dispose](): void {
    for (const { file } of this.files.values()) file.close();
    this.files.clear();
  }
}

function malformed(what: string): LogvendError {
  return new LogvendError("usage", what);
}
