/** A log of one past hour, the same for every run. */
import { generateLines } from "../../orchestrator/generate/lines.ts";

const SEED = 1;
const HOUR_MS = 3_600_000;
/** The same for every run: a small change of the corpus moves ratios by tens of per cent. */
const START_MS = Date.parse("2026-11-22T18:00:00Z");
/** Characters written at once. */
const WRITE_CHARS = 1e6;

/** Writes lines, in the combined format with request time unless told otherwise; returns their bytes. */
export async function writeCorpus(
  path: string,
  lines: number,
  format: "combined_time" | "json" = "combined_time",
): Promise<number> {
  const options = { seed: SEED, count: lines, startMs: START_MS, endMs: START_MS + HOUR_MS };
  using file = await Deno.open(path, { create: true, write: true });
  let bytes = 0;
  let text = "";
  const write = () => {
    const block = new TextEncoder().encode(text);
    for (let at = 0; at < block.length;) at += file.writeSync(block.subarray(at));
    bytes += block.length;
    text = "";
  };
  for (const line of generateLines({ ...options, format })) {
    text += `${line}\n`;
    if (text.length > WRITE_CHARS) write();
  }
  write();
  return bytes;
}
