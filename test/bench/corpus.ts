/** A log of one past hour, the same for every run, in the forms that are measured. */
import { drawHit } from "../../orchestrator/generate/hits.ts";
import type { Hit } from "../../orchestrator/generate/hits.ts";
import { hourProfile } from "../../orchestrator/generate/hour_profile.ts";
import { formatLine } from "../../orchestrator/generate/lines.ts";
import { createRandom } from "../../orchestrator/generate/random.ts";

const SEED = 1;
const HOUR_MS = 3_600_000;
/** The same for every run: a small change of the corpus moves ratios by tens of per cent. */
const START_MS = Date.parse("2026-11-22T18:00:00Z");
/** Characters written at once. */
const WRITE_CHARS = 1e6;

/** A request as a line of some log. */
export type CorpusLine = (hit: Hit, timeMs: number) => string;

/** The combined format with request time. */
export const combinedLine: CorpusLine = (hit, timeMs) => formatLine(hit, timeMs, "combined_time");

/** As services write it: milliseconds, numbers, a nested value. */
export const jsonLine: CorpusLine = (hit, timeMs) =>
  JSON.stringify({
    time: new Date(timeMs).toISOString(),
    level: hit.status >= 500 ? "error" : "info",
    msg: "request served",
    http: { method: hit.method, version: hit.version },
    target: hit.target,
    status: hit.status,
    bytes: hit.bytes,
    client: hit.address,
    agent: hit.userAgent,
    took_ms: hit.durationMs,
    cached: hit.bytes % 3 === 0,
  });

/** Of the lines that `logFormatLine` makes. */
export const LOG_FORMAT =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" ' +
  '"$http_user_agent" $request_time "$host" $upstream_addr $request_length $upstream_response_time';

/** Combined, and what people add to it. */
export const logFormatLine: CorpusLine = (hit, timeMs) =>
  `${combinedLine(hit, timeMs)} "www.shop.example" 10.1.2.${hit.bytes % 9}:8080 ${
    300 + hit.bytes % 500
  } ${(hit.durationMs / 1_250).toFixed(3)}`;

/** The same as `jsonLine` in pairs of keys and values. */
export const logfmtLine: CorpusLine = (hit, timeMs) =>
  `time=${new Date(timeMs).toISOString()} level=info msg="request served" method=${hit.method} ` +
  `target="${hit.target}" status=${hit.status} bytes=${hit.bytes} client=${hit.address} ` +
  `took_ms=${hit.durationMs}`;

/** Writes lines; returns their bytes. */
export async function writeCorpus(
  path: string,
  lines: number,
  lineOf: CorpusLine = combinedLine,
): Promise<number> {
  const random = createRandom(SEED);
  const timeAt = hourProfile(START_MS, START_MS + HOUR_MS);
  using file = await Deno.open(path, { create: true, write: true });
  let bytes = 0;
  let text = "";
  const write = () => {
    const block = new TextEncoder().encode(text);
    for (let at = 0; at < block.length;) at += file.writeSync(block.subarray(at));
    bytes += block.length;
    text = "";
  };
  for (let i = 0; i < lines; i++) {
    text += `${lineOf(drawHit(random), timeAt((i + random()) / lines))}\n`;
    if (text.length > WRITE_CHARS) write();
  }
  write();
  return bytes;
}
