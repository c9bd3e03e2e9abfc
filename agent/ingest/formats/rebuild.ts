/** Makes a line up again from its columns: the twin of the SQL in protocol/schema/streams.ts. */
import type { AccessRow } from "./row.ts";
import { MONTHS } from "./time.ts";

/** The line of a row by its layout; null without a layout. */
export type Rebuilder = (row: AccessRow) => string | null;

/** A rebuilder that remembers the last time it wrote: neighbouring lines mostly share theirs. */
export function createRebuilder(): Rebuilder {
  let ts = -1n;
  let zoneMin = 0;
  let local = "";
  let iso = "";
  return (row) => {
    if (row.ts !== ts || row.time_zone_min !== zoneMin) {
      ts = row.ts;
      zoneMin = row.time_zone_min;
      local = nginxTimeText(ts, zoneMin);
      iso = new Date(Number(ts / 1_000n)).toISOString().slice(0, 19);
    }
    switch (row.layout) {
      case "common":
        return common(row, local);
      case "combined":
        return combined(row, local);
      case "combined_time":
        return `${combined(row, local)} ${secondsText(row.request_time_ms)}`;
      case "json":
        return json(row, iso);
      case null:
        return null;
    }
  };
}

function combined(row: AccessRow, time: string): string {
  return `${common(row, time)} "${row.http_referer ?? ""}" "${row.http_user_agent ?? ""}"`;
}

function common(row: AccessRow, time: string): string {
  return `${row.remote_addr ?? ""} - ${row.remote_user ?? ""} [${time}] "` +
    `${row.http_method ?? ""} ${row.request ?? ""} ${row.http_version ?? ""}" ${row.status} ` +
    `${row.body_bytes_sent ?? "-"}`;
}

function json(row: AccessRow, time: string): string {
  return `{"remote_addr":"${row.remote_addr ?? ""}","remote_user":"${row.remote_user ?? ""}",` +
    `"time_local":"${time}","http_method":"${row.http_method ?? ""}",` +
    `"request":"${row.request ?? ""}","http_version":"${row.http_version ?? ""}",` +
    `"status":${row.status},"body_bytes_sent":${row.body_bytes_sent ?? ""},` +
    `"http_referer":"${row.http_referer ?? ""}","http_user_agent":"${row.http_user_agent ?? ""}"}`;
}

/** A time as nginx and Apache write it. */
export function nginxTimeText(ts: bigint, zoneMin: number): string {
  return `${localTime(ts, zoneMin)} ${zoneText(zoneMin)}`;
}

function localTime(ts: bigint, zoneMin: number): string {
  const [date = "", clock = ""] = new Date(Number(ts / 1_000n) + zoneMin * 60_000)
    .toISOString().slice(0, 19).split("T");
  const [year, month, day] = date.split("-");
  const monthStart = (Number(month) - 1) * 3;
  return `${day}/${MONTHS.slice(monthStart, monthStart + 3)}/${year}:${clock}`;
}

function zoneText(zoneMin: number): string {
  const minutes = Math.abs(zoneMin);
  const hour = String(Math.floor(minutes / 60)).padStart(2, "0");
  return `${zoneMin < 0 ? "-" : "+"}${hour}${String(minutes % 60).padStart(2, "0")}`;
}

function secondsText(ms: number | null): string {
  if (ms === null) return "";
  return `${Math.floor(ms / 1_000)}.${String(ms % 1_000).padStart(3, "0")}`;
}
