/** Reads a stream of lines, some of which have raw bytes behind them. */
import { LogvendError } from "../../protocol/errors.ts";

/** Longer than any line of an answer: a coverage may name every host. */
const LINE_LENGTH_MAX = 64 * 2 ** 20;

export class EventReader {
  private readonly blocks: AsyncIterator<Uint8Array<ArrayBuffer>>;
  /** What has come and is not read yet. */
  private rest: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(body: AsyncIterable<Uint8Array<ArrayBuffer>>) {
    this.blocks = body[Symbol.asyncIterator]();
  }

  /** The next line; null at the end. @throws {LogvendError} unavailable, when it has no end */
  async line(): Promise<string | null> {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const end = this.rest.indexOf(NEWLINE);
      if (end >= 0) return text + decoder.decode(this.taken(end + 1).subarray(0, end));
      text += decoder.decode(this.rest, { stream: true });
      if (text.length > LINE_LENGTH_MAX) throw cutOff("a line without an end");
      if (!await this.next()) return null;
    }
  }

  /** The next bytes, as they come. @throws {LogvendError} unavailable, when there are fewer */
  async *bytes(length: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let left = length; left > 0;) {
      if (this.rest.length === 0 && !await this.next()) throw cutOff("rows are missing");
      const some = this.taken(Math.min(left, this.rest.length));
      left -= some.length;
      yield some;
    }
  }

  private taken(length: number): Uint8Array<ArrayBuffer> {
    const some = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    return some;
  }

  private async next(): Promise<boolean> {
    const { done, value } = await this.blocks.next();
    this.rest = done ? new Uint8Array() : value;
    return !done;
  }

  /** To be called when nothing more is wanted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.blocks.return?.();
  }
}

const NEWLINE = 10;

function cutOff(what: string): LogvendError {
  return new LogvendError("unavailable", `The answer was cut off: ${what}`);
}
