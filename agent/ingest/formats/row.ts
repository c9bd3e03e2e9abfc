/** One parsed access log line, and the closed set of reasons why a line is none. */

/** How the columns make the line up again; the expressions are in protocol/schema/streams.ts. */
export type Layout = "common" | "combined" | "combined_time" | "json";

/** The columns of one line, with nginx's names. Text is null for NULL. */
export interface AccessRow {
  /** Microseconds since 1970, UTC. */
  ts: bigint;
  /** Minutes east of UTC, as the line has it. */
  time_zone_min: number;
  remote_addr: string | null;
  remote_user: string | null;
  http_method: string | null;
  request: string | null;
  http_version: string | null;
  status: number;
  body_bytes_sent: bigint | null;
  http_referer: string | null;
  http_user_agent: string | null;
  request_time_ms: number | null;
  /** The layout that may rebuild the line; null once it is known not to. */
  layout: Layout | null;
}

/** Why a line is kept as a reject. The names are stored: never rename one. */
export type RejectReason =
  | "no_format" // not in the form of the stream's format
  | "bad_time" // no timestamp, or one that no calendar has
  | "bad_status" // no status of up to three digits
  | "bad_json" // no JSON object
  | "too_long" // over the line limit; cut
  | "zero_bytes"; // a hole that a writer left when its file was truncated; not kept

/** A line's text, without its end, to a row or to the reason why not. */
export type LineParser = (line: string) => AccessRow | RejectReason;
