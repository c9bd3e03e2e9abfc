/** Access log lines for tests, each with its number in it. */

const START_MS = Date.now() - 60_000;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec".match(/.../g) ?? [];

/** nginx's combined format, UTC, one line a millisecond from a minute ago. */
export function combinedLine(number: number): string {
  return combinedLineAt(START_MS + number, number);
}

/** The same at a time of its own. */
export function combinedLineAt(atMs: number, number: number): string {
  const iso = new Date(atMs).toISOString();
  const month = MONTHS[Number(iso.slice(5, 7)) - 1];
  const time = `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
  return `10.0.0.${number % 250} - - [${time}] "GET /item/${number} HTTP/1.1" ` +
    `${statusOf(number)} ${number} "-" "test/1.0"\n`;
}

/** The same as JSON, with nginx's names. */
export function jsonLine(number: number): string {
  return JSON.stringify({
    remote_addr: `10.0.1.${number % 250}`,
    remote_user: "-",
    time_local: new Date(START_MS + number).toISOString().slice(0, 19),
    http_method: "GET",
    request: `/item/${number}`,
    http_version: "HTTP/1.1",
    status: statusOf(number),
    body_bytes_sent: number,
    http_referer: "-",
    http_user_agent: "test/1.0",
  }) + "\n";
}

/** Every tenth request fails. */
function statusOf(number: number): number {
  return number % 10 === 0 ? 500 : 200;
}

/** `count` lines from number `first` on, as one text. */
export function manyLines(
  line: (number: number) => string,
  first: number,
  count: number,
): string {
  return Array.from({ length: count }, (_, i) => line(first + i)).join("");
}
