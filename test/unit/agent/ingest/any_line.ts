/** Lines to test parsers with: those of servers, nearly those, and anything. */
import { fc } from "../../../harness/properties.ts";
import { generateLines } from "../../../../orchestrator/generate/lines.ts";

const part = fc.oneof(
  fc.constantFrom(
    "-",
    "",
    '\\"',
    "\\x22",
    "\\",
    '"',
    " ",
    "[",
    "] ",
    "é",
    "\0",
    "\r",
    "😀",
    "\ufeff",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
);
const odd = fc.array(part, { maxLength: 3 }).map((parts) => parts.join("").replaceAll("\n", ""));
const plain = fc.stringMatching(/^[a-z0-9\u00e9./-]{1,9}$/);
const field = fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: odd });
const digits = fc.nat(99).map((n) => String(n).padStart(2, "0"));
const month = fc.constantFrom("Jan", "Feb", "Jun", "Dec", "dec", "Foo");
const zone = fc.tuple(fc.constantFrom("+", "-"), digits, fc.constantFrom("00", "30", "60"))
  .map((parts) => parts.join(""));
const year = fc.constantFrom("1969", "1970", "2023", "2024", "2261", "2262", "9999");
const goodTime = fc.integer({ min: 0, max: 9e9 }).map((s) => new Date(s * 1_000).toISOString());
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const oddTime = fc.tuple(digits, month, year, fc.nat(25), digits, digits, zone)
  .map(([d, m, y, h, min, s, z]) =>
    `${d}/${m}/${y}:${String(h).padStart(2, "0")}:${min}:${s} ${z}`
  );
const nginxTime = fc.oneof(
  oddTime,
  fc.tuple(goodTime, fc.constantFrom("+0000", "-0000", "+0530", "-1130", "+2359")).map(([t, z]) =>
    `${t.slice(8, 10)}/${MONTHS[Number(t.slice(5, 7)) - 1]}/${t.slice(0, 4)}:${
      t.slice(11, 19)
    } ${z}`
  ),
);
const numberText = fc.oneof(
  { weight: 3, arbitrary: fc.nat().map(String) },
  fc.constantFrom("-", "00", "007", "1e3", "1.0", "-0", "9".repeat(18), "9".repeat(19), "null"),
);
const request = fc.oneof(field, field.map((target) => `GET /${target} HTTP/1.1`));
const end = fc.constantFrom(
  "",
  " 0.001",
  " 1.5",
  " 12345.678",
  ' "x" 0.010',
  "\r",
  " -",
  " 2000000.000",
);
const status = fc.constantFrom("200", "404", "500", "000", "99", "1e2", "null");

/** What both access log formats begin with. */
const head = { a: field, user: field, time: nginxTime, request, status, n: numberText };
/** Lines like those of the combined format. */
export const combined = fc.record({
  ...head,
  r: field,
  u: field,
  end,
})
  .map((l) =>
    `${l.a} - ${l.user} [${l.time}] "${l.request}" ${l.status} ${l.n} "${l.r}" "${l.u}"${l.end}`
  );
/** Lines like those of the common format, with and without something behind. */
export const common = fc.record({
  ...head,
  end: fc.constantFrom("", "", "", " ", "\r", " x"),
})
  .map((l) => `${l.a} - ${l.user} [${l.time}] "${l.request}" ${l.status} ${l.n}${l.end}`);
/** Lines like those of access logs in JSON. */
export const json = fc.record({
  a: field,
  time: goodTime,
  cut: fc.constantFrom(19, 24),
  m: field,
  r: field,
  status,
  n: numberText,
  u: field,
  raw: fc.boolean(),
})
  .map((l) => {
    const text = (value: string) => l.raw ? `"${value}"` : JSON.stringify(value);
    return `{"remote_addr":${text(l.a)},"remote_user":"-","time_local":"${
      l.time.slice(0, l.cut)
    }",` +
      `"http_method":${text(l.m)},"request":${text(l.r)},"http_version":"HTTP/1.1",` +
      `"status":${l.status},"body_bytes_sent":${l.n},"http_referer":"-","http_user_agent":${
        text(l.u)
      }}`;
  });
const encoder = new TextEncoder();
/** Bytes of lines, most of them nearly right, without line ends. */
export const anyLine = fc.oneof(
  { weight: 5, arbitrary: combined.map((text) => encoder.encode(text)) },
  { weight: 2, arbitrary: common.map((text) => encoder.encode(text)) },
  { weight: 5, arbitrary: json.map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.tuple(combined, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = encoder.encode(text);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  },
).map((bytes) => bytes.filter((byte) => byte !== 0x0a));

/** Lines as servers write them. */
export function generatedLines(format: "combined" | "combined_time" | "json"): Iterable<string> {
  return generateLines({ seed: 7, count: 200, startMs: 0, endMs: 86_400_000, format });
}

/** Two lines in the combined format. */
export const combinedLines = [
  '192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 1234 "-" "curl/8.5.0"',
  '2001:db8::1 - ann [10/Oct/2023:13:55:36 +0200] "GET /b HTTP/2.0" 404 0 "https://a/é" "x y"',
];
