/** Timestamps of log lines: nginx's and Apache's, ISO 8601, and seconds since 1970. */

/** An instant and the zone it was written in. */
export interface LogTime {
  /** Microseconds since 1970, UTC. */
  ts: bigint;
  /** Minutes east of UTC; 0 where the text names no zone. */
  zoneMin: number;
}

/** A text to a time; null when it is none. */
export type TimeParser = (text: string) => LogTime | null;

/** Characters of `10/Oct/2000:13:55:36 -0700`. */
export const NGINX_TIME_LENGTH = 26;

/** English month names, three letters each. */
export const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** Microseconds of later years are more than a JavaScript number holds exactly. */
const YEAR_MIN = 1970;
const YEAR_MAX = 2254;
const TS_END_US = Date.UTC(YEAR_MAX + 1, 0) * 1_000;

/** Remembers the last text and its time: neighbouring lines mostly have the same second. */
export function rememberingLast(parse: TimeParser): TimeParser {
  let lastText = "";
  let lastTime: LogTime | null = null;
  return (text) => {
    if (text !== lastText) {
      lastTime = parse(text);
      lastText = text;
    }
    return lastTime;
  };
}

/** Reads `10/Oct/2000:13:55:36 -0700`, strictly. */
export function parseNginxTime(text: string): LogTime | null {
  const match = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})$/.exec(text);
  if (match === null) return null;
  const [, day = "", name = "", year, hour, minute, second, zone = ""] = match;
  const month = MONTHS.indexOf(name);
  if (month < 0 || month % 3 !== 0) return null;
  return timeOf({
    date: [Number(year), month / 3 + 1, Number(day)],
    clock: [Number(hour), Number(minute), Number(second)],
    fractionUs: 0,
    zone,
  });
}

/** Reads `2000-10-10T13:55:36`, with or without a fraction and a zone; without one it is UTC. */
export function parseIsoTime(text: string): LogTime | null {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/
      .exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = "", zone = "Z"] = match;
  return timeOf({
    date: [Number(year), Number(month), Number(day)],
    clock: [Number(hour), Number(minute), Number(second)],
    fractionUs: Number(fraction.slice(0, 6).padEnd(6, "0")),
    zone: zone === "Z" ? "+0000" : zone.replace(":", ""),
  });
}

/** Reads a time since 1970: seconds, or, told by its size, milliseconds or microseconds. */
export function epochTime(value: number): LogTime | null {
  const unitUs = value < 1e11 ? 1e6 : value < 1e14 ? 1e3 : 1;
  return inRange(Math.round(value * unitUs), 0);
}

interface TimeParts {
  /** Year, month (1-12), day. */
  date: [number, number, number];
  /** Hour, minute, second. */
  clock: [number, number, number];
  fractionUs: number;
  /** `+hhmm` or `-hhmm`. */
  zone: string;
}

function timeOf({ date, clock, fractionUs, zone }: TimeParts): LogTime | null {
  const [year, month, day] = date;
  const [hour, minute, second] = clock;
  const zoneHour = Number(zone.slice(1, 3));
  const zoneMinute = Number(zone.slice(3));
  if (year < YEAR_MIN || hour > 23 || minute > 59 || second > 59) return null;
  if (zoneHour > 23 || zoneMinute > 59) return null;
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return null;
  const eastMin = zoneHour * 60 + zoneMinute;
  const zoneMin = zone.startsWith("-") ? 0 - eastMin : eastMin;
  const seconds = midnight.getTime() / 1_000 + hour * 3_600 + (minute - zoneMin) * 60 + second;
  return inRange(seconds * 1e6 + fractionUs, zoneMin);
}

function inRange(us: number, zoneMin: number): LogTime | null {
  if (!(us >= 0 && us < TS_END_US)) return null;
  return { ts: BigInt(us), zoneMin };
}
