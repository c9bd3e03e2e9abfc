/** An afternoon of a small shop, that questions have answers about which can be counted by hand. */
import type { Column } from "../../../../protocol/wire/messages.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../../../protocol/schema/streams.ts";
import type { Sample } from "../fleet.ts";

/** A visitor (.1), a scanner (.2), a bot (.3) and somebody who came a minute ago (.4). */
const LINES = `
17:00:00 web-1 10.0.0.1 GET  /                       200 1000 0.1 https://search.example/?q=a firefox
17:00:30 web-2 10.0.0.1 GET  /shop/12?color=red      200 2000 0.2 https://Shop.example:8443/  firefox
17:01:30 web-1 10.0.0.1 GET  /shop/idx7/             200 2000 0.4 https://shop.example/       firefox
17:02:00 web-3 10.0.0.1 GET  /files/manual.pdf?v=2   200 9000 1.5 -                           firefox
18:00:00 web-1 10.0.0.1 GET  /                       304    0 0.1 -                           firefox
18:00:10 web-2 10.0.0.1 GET  /shop/13                500  100 2.0 -                           firefox
18:10:00 web-1 10.0.0.2 GET  /wp-login.php           404   50 0.1 -                           curl/8.5
18:10:01 web-2 10.0.0.2 GET  /wp-login.php?again     404   50 0.1 -                           curl/8.5
18:10:02 web-3 10.0.0.2 GET  /shop/99/%FF/far/away   404   50 0.1 -                           curl/8.5
18:10:03 web-1 10.0.0.2 POST /admin                  401   10 0.1 -                           curl/8.5
18:10:04 web-2 10.0.0.2 POST /admin                  403   10 0.1 -                           curl/8.5
18:10:05 web-3 10.0.0.2 GET  /api/users/1            429   10 0.1 -                           curl/8.5
18:10:06 web-1 10.0.0.2 GET  /api/users/1            429   10 0.1 -                           curl/8.5
18:30:00 web-2 10.0.0.3 GET  /robots.txt             200   20 0.1 -                           ExampleBot/1.0
18:30:01 web-3 10.0.0.3 GET  /api/users/1            200  300 0.3 -                           ExampleBot/1.0
18:30:02 web-1 10.0.0.3 GET  /api/users/2            503   10 3.0 -                           ExampleBot/1.0
18:30:40 web-2 10.0.0.3 GET  /api/users/2            503   10 4.0 -                           ExampleBot/1.0
18:59:00 web-3 10.0.0.4 GET  /caf%C3%A9?x=1          200  500   - https://search.example/?q=b firefox
`;

/** Columns that logs have where agents look places up, and where nginx logs its upstreams. */
const MORE: readonly Column[] = [
  { name: "geo_country", type: "VARCHAR" },
  { name: "geo_city", type: "VARCHAR" },
  { name: "upstream_addr", type: "VARCHAR" },
  { name: "upstream_response_time", type: "DOUBLE" },
];

const COLUMNS = streamSchema({ ...ACCESS_SHAPE, fields: [...MORE] }).logical;

/** Times are of 2026-11-22; upstreams stand behind hosts one to one, and take all the time. */
function valuesOf(line: string): string {
  const fields = line.split(/ +/).map((text) => text === "-" ? "NULL" : `'${text}'`);
  const [time = "", host, ...others] = fields;
  return `(TIMESTAMP '2026-11-22 ${time.slice(1)}, ${[host, ...others].join(", ")})`;
}

/** The rows as a fleet has them. */
export const TRAFFIC: Sample = {
  table: "logs",
  columns: COLUMNS,
  sql: `
    SELECT *, ts AS time_local, NULL AS remote_user, 'HTTP/1.1' AS http_version,
      'eu-west-1' AS region, request AS line, encode(line) AS line_bytes,
      CASE remote_addr WHEN '10.0.0.1' THEN 'DE' WHEN '10.0.0.3' THEN 'US' END AS geo_country,
      CASE remote_addr WHEN '10.0.0.1' THEN 'Berlin' END AS geo_city,
      replace(host, 'web', 'app') AS upstream_addr, request_time AS upstream_response_time
    FROM (VALUES ${LINES.trim().split("\n").map(valuesOf).join(",\n")}) AS lines(
      ts, host, remote_addr, http_method, request, status, body_bytes_sent, request_time,
      http_referer, http_user_agent)`,
};
