/** Where the visitors of the generated traffic are: invented, as their addresses are. */
import { mmdb } from "./mmdb.ts";
import type { Network } from "./mmdb.ts";

/** Of the first parts of IPv4 addresses, each takes so many, from 11 to 190; nobody knows the rest. */
const PLACES: readonly [country: string, city: string, blocks: number, at: [number, number]][] = [
  ["US", "New York", 24, [40.71, -74.01]],
  ["US", "Chicago", 14, [41.88, -87.63]],
  ["DE", "Berlin", 20, [52.52, 13.41]],
  ["DE", "München", 10, [48.14, 11.58]],
  ["GB", "London", 20, [51.51, -0.13]],
  ["FR", "Paris", 16, [48.86, 2.35]],
  ["BR", "São Paulo", 12, [-23.55, -46.63]],
  ["JP", "Tokyo", 12, [35.68, 139.69]],
  ["IN", "Mumbai", 10, [19.08, 72.88]],
  ["NL", "Amsterdam", 8, [52.37, 4.9]],
  ["PL", "Warsaw", 7, [52.23, 21.01]],
  ["ES", "Madrid", 7, [40.42, -3.7]],
  ["CH", "Zurich", 5, [47.38, 8.54]],
  ["AU", "Sydney", 5, [-33.87, 151.21]],
  ["ZA", "Cape Town", 4, [-33.92, 18.42]],
  ["SG", "Singapore", 3, [1.35, 103.82]],
];

const FIRST_BLOCK = 11;

/** The networks of the visitors, IPv4 and IPv6. */
export function visitorNetworks(): Network[] {
  let block = FIRST_BLOCK;
  const ipv4 = PLACES.flatMap(([country, city, blocks, at]) =>
    Array.from({ length: blocks }, () => ({ cidr: `${block++}.0.0.0/8`, country, city, at }))
  );
  // The four bits behind 2001:db8, one value for each place.
  const ipv6 = PLACES.map(([country, city, , at], i) => {
    return { cidr: `2001:db8:${i.toString(16)}000::/36`, country, city, at };
  });
  return [...ipv4, ...ipv6];
}

/** The same as a file that agents read. */
export function visitorDatabase(): Uint8Array {
  return mmdb(visitorNetworks(), { type: "Logvend-Demo-City", builtMs: Date.now() });
}
