/** One JSON value a line, over pipes and sockets. */
import { LogvendError } from "../errors.ts";

/** A line of a worker or a snapshot: thousands of file paths fit, a runaway writer does not. */
const LINE_BYTES_MAX = 16 * 2 ** 20;

const LINE_FEED = 10;

/** Writes a value as one line. */
export async function writeJsonLine(
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
  value: unknown,
): Promise<void> {
  await writer.write(new TextEncoder().encode(JSON.stringify(value) + "\n"));
}

/**
 * Reads values until the stream ends; an unfinished last line is no value.
 * @throws {LogvendError} internal, for a line that is no JSON or too long
 */
export async function* readJsonLines(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<unknown, void, undefined> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const block of stream) {
    let start = 0;
    for (let end = block.indexOf(LINE_FEED); end >= 0; end = block.indexOf(LINE_FEED, start)) {
      yield parseLine([...pieces, block.subarray(start, end)]);
      pieces = [];
      length = 0;
      start = end + 1;
    }
    if (start === block.length) continue;
    pieces.push(block.slice(start));
    length += block.length - start;
    if (length > LINE_BYTES_MAX) {
      throw new LogvendError("internal", `A line is longer than ${LINE_BYTES_MAX} bytes`);
    }
  }
}

function parseLine(pieces: readonly Uint8Array[]): unknown {
  const decoder = new TextDecoder();
  const text = pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") +
    decoder.decode();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LogvendError("internal", `A line is no JSON: ${text.slice(0, 200)}`, { cause });
  }
}
