/** Takes lines from standard input. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { InputCounts } from "./counts.ts";
import { joined, MESSAGE_BYTES_MAX } from "./framing.ts";
import type { Spool } from "./spool.ts";

const LINE_END = 0x0a;

/** Of a line that has not come to its end: with so much it is too long, and kept cut. */
const REST_BYTES_MAX = MESSAGE_BYTES_MAX + 1;

export interface StdinOptions {
  stream: string;
  spool: Spool;
  counts: InputCounts;
  signal: AbortSignal;
}

/** Reads until its end, or until it is disposed of; whoever writes waits while the spool is full. */
export function readStdin(options: StdinOptions): AsyncDisposable {
  const log = getLogger(["agent", "input"]);
  const { stream } = options;
  const end = new AbortController();
  const signal = AbortSignal.any([options.signal, end.signal]);
  const reading = read(options, signal).then(
    () => log.info("{stream}: standard input has ended", { stream }),
    (error) => {
      if (!signal.aborted) {
        log.error("{stream}: standard input: {reason}", { stream, reason: messageOf(error) });
      }
    },
  );
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await reading;
    },
  };
}

async function read({ spool, counts }: StdinOptions, signal: AbortSignal) {
  let rest = new Uint8Array();
  const take = async (text: Uint8Array) => {
    await spool.writeInTurn([text], signal);
    counts.messages += text.reduce((lines, byte) => byte === LINE_END ? lines + 1 : lines, 1);
    counts.bytes += text.length;
  };
  const sink = new WritableStream<Uint8Array>({
    async write(chunk) {
      const end = chunk.lastIndexOf(LINE_END);
      if (end < 0) {
        rest = joined(rest, chunk).slice(0, REST_BYTES_MAX);
        return;
      }
      const text = joined(rest, chunk.subarray(0, end));
      rest = chunk.slice(end + 1);
      await take(text);
    },
  });
  await Deno.stdin.readable.pipeTo(sink, { signal });
  if (rest.length > 0) await take(rest);
}
