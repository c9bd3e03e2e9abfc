/** Access log lines of an invented shop: shares, sizes and hours as on a large public site. */
import { drawHit } from "./hits.ts";
import type { Hit } from "./hits.ts";
import { createRandom } from "./random.ts";
import { hourProfile } from "./hour_profile.ts";

/** Formats that agents read; JSON has the keys and order of nginx's canonical form. */
export type LineFormat = "combined" | "combined_time" | "json";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Which lines. */
export interface LinesOptions {
  /** The same seed gives the same lines. */
  seed: number;
  count: number;
  /** Half-open range of their times, milliseconds since 1970; quiet hours get fewer. */
  startMs: number;
  endMs: number;
  format: LineFormat;
}

/** Yields lines without their ends, in the order of time. */
export function* generateLines(options: LinesOptions): Generator<string> {
  const { seed, count, startMs, endMs, format } = options;
  const random = createRandom(seed);
  const timeAt = hourProfile(startMs, endMs);
  for (let i = 0; i < count; i++) {
    yield formatLine(drawHit(random), timeAt((i + random()) / count), format);
  }
}

/** Writes a hit as its server would; times are UTC. */
export function formatLine(hit: Hit, timeMs: number, format: LineFormat): string {
  const [date = "", clock = ""] = new Date(timeMs).toISOString().slice(0, 19).split("T");
  if (format === "json") {
    return JSON.stringify({
      remote_addr: hit.address,
      remote_user: hit.user,
      time_local: `${date}T${clock}`,
      http_method: hit.method,
      request: hit.target,
      http_version: hit.version,
      status: hit.status,
      body_bytes_sent: hit.bytes,
      http_referer: hit.referer,
      http_user_agent: hit.userAgent,
    });
  }
  const [year, month, day] = date.split("-");
  const time = `${day}/${MONTHS[Number(month) - 1]}/${year}:${clock} +0000`;
  const line = `${hit.address} - ${hit.user} [${time}] "${hit.method} ${hit.target} ` +
    `${hit.version}" ${hit.status} ${hit.bytes} "${hit.referer}" "${hit.userAgent}"`;
  return format === "combined" ? line : `${line} ${(hit.durationMs / 1_000).toFixed(3)}`;
}
