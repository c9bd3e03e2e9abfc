/** Durations and byte sizes as people write them, to numbers and back. */
import { LogvendError } from "./errors.ts";

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/**
 * Reads `250ms`, `10s`, `15m`, `24h`, `7d` as milliseconds.
 * @param flag that the text was given with, for the error
 * @throws {LogvendError} usage
 */
export function parseDurationMs(text: string, flag = ""): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  const unitMs = match?.[2] === undefined ? undefined : DURATION_MS[match[2]];
  if (unitMs === undefined) {
    throw new LogvendError("usage", unfit(flag, text, "a duration, e.g. 250ms, 30s, 5m"));
  }
  return Math.round(Number(match?.[1]) * unitMs);
}

/**
 * Reads `64MB`, `2GB`, `512KiB` or a plain number as bytes.
 * @param flag that the text was given with, for the error
 * @throws {LogvendError} usage
 */
export function parseBytes(text: string, flag = ""): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)$/i.exec(text.trim());
  const unit = (match?.[2] ?? "").toUpperCase() || "B";
  const factor = SIZE_BYTES[unit.endsWith("B") ? unit : `${unit}B`];
  if (match === null || factor === undefined) {
    throw new LogvendError("usage", unfit(flag, text, "a size, e.g. 512KiB, 64MB, 2GB"));
  }
  return Math.round(Number(match[1]) * factor);
}

/** `1 row`, `2 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Bytes for people: `812 B`, `0.4 MB`, `91 MB`, `2.1 GB` (powers of ten). */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} KB`;
  const [value, unit] = bytes < 1e9
    ? [bytes / 1e6, "MB"]
    : bytes < 1e12
    ? [bytes / 1e9, "GB"]
    : [bytes / 1e12, "TB"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/** A span of time for people: `31 ms`, `1.3 s`, `15 m`, `24 h`, `7 d`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 && ms % 1_000 !== 0 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} m`;
  if (ms <= 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

function unfit(flag: string, text: string, wanted: string): string {
  return `${flag} ${text === "" ? '""' : text}: wanted ${wanted}`.trimStart();
}
