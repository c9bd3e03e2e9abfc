/** The lines at the start of a log, packed or not: enough to tell its format. */
import { resolve } from "node:path";
import { openSource } from "../ingest/byte_source.ts";

/** Enough to tell a format and its odd lines, and read at once. */
const SAMPLE_BYTES = 2 ** 20;

const LINE_END = 0x0a;

export interface FirstLines {
  /** Without their ends; one whose end was not read is left out. */
  lines: string[];
  /** The log has no more. */
  isAll: boolean;
}

/** @param path `-` is standard input. @throws {LogvendError} usage, when it cannot be read */
export async function firstLines(path: string, sampleBytes = SAMPLE_BYTES): Promise<FirstLines> {
  const blocks = path === "-" ? Deno.stdin.readable : (await openSource(resolve(path))).bytes(0);
  let bytes = new Uint8Array();
  for await (const block of blocks) {
    const joined = new Uint8Array(bytes.length + block.length);
    joined.set(bytes);
    joined.set(block, bytes.length);
    bytes = joined;
    if (bytes.length >= sampleBytes) break;
  }
  const isAll = bytes.length < sampleBytes;
  const end = isAll ? bytes.length : bytes.lastIndexOf(LINE_END);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end));
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { lines, isAll };
}
