/** Which hours of a host neither it nor the archive can answer for, as far as both have said. */
import { spansOf } from "../../../protocol/wire/hour_spans.ts";
import type { HourSpan } from "../../../protocol/wire/hour_spans.ts";
import type { SealedHours } from "../../fleet/chunk_catalog.ts";

const HOUR_MS = 3_600_000;

/** Of one chunk. */
type ArchivedHour = SealedHours["hours"][number];

/** Hours of which the host had sealed more chunks than the archive has. */
export function lackingHours(
  chunks: readonly ArchivedHour[],
  sealed: Pick<SealedHours, "hours">,
): HourSpan[] {
  const archived = counts(chunks);
  const lacking = [...counts(sealed.hours)].filter(([hour, count]) =>
    count > (archived.get(hour) ?? 0)
  );
  return spansOf(lacking.map(([key]) => key.slice(key.indexOf("/") + 1)));
}

/**
 * Hours between others of which neither has a chunk: no line was written then, or they are lost.
 * Where the host has said that it had nothing, they are not among them.
 */
export function absentHours(
  chunks: readonly ArchivedHour[],
  sealed: SealedHours | null,
  read: { since: string | null; until: string | null },
): HourSpan[] {
  const present = new Set([...chunks, ...sealed?.hours ?? []].map(({ hour }) => startMs(hour)));
  const [earliestMs, latestMs] = edgesOf(present);
  const firstMs = Math.max(earliestMs, msOf(read.since) ?? -Infinity);
  const knownFromMs = sealed === null ? Infinity : sealed.goneUntilMs ?? -Infinity;
  const endMs = Math.min(latestMs, msOf(read.until) ?? Infinity, knownFromMs);
  const absent: string[] = [];
  for (let ms = Math.floor(firstMs / HOUR_MS) * HOUR_MS; ms < endMs; ms += HOUR_MS) {
    if (!present.has(ms)) absent.push(new Date(ms).toISOString().slice(0, 13));
  }
  return spansOf(absent);
}

/** `2026-11-22 19:00-21:00`, and how many hours more. */
export function spansText(spans: readonly HourSpan[]): string {
  const shown = spans.slice(0, SHOWN_MAX).map(({ from, until }) => {
    const isOneDay = until.slice(0, 10) === from.slice(0, 10);
    return `${minute(from)}-${isOneDay ? minute(until).slice(11) : minute(until)}`;
  });
  const hours = spans.slice(SHOWN_MAX)
    .reduce((sum, { from, until }) => sum + (Date.parse(until) - Date.parse(from)) / HOUR_MS, 0);
  return `${shown.join(", ")}${hours === 0 ? "" : ` and ${hours} h more`}`;
}

const SHOWN_MAX = 3;

/** `2026-11-22 19:00` */
export function minute(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

/** They may be more than a call has arguments. */
function edgesOf(times: Iterable<number>): [earliest: number, latest: number] {
  let [earliest, latest] = [Infinity, -Infinity];
  for (const ms of times) [earliest, latest] = [Math.min(earliest, ms), Math.max(latest, ms)];
  return [earliest, latest];
}

function counts(places: readonly { stream: string; hour: string }[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { stream, hour } of places) {
    const key = `${stream}/${hour}`;
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

function startMs(hour: string): number {
  return Date.parse(`${hour}:00:00Z`);
}

function msOf(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso);
}
