/** Where the visitors of the generated traffic are: invented, as their addresses are. */
import { mmdb } from "./mmdb.ts";
import type { Network } from "./mmdb.ts";

/** Of the first parts of IPv4 addresses, each takes so many, from 11 to 190; nobody knows the rest. */
const PLACES: readonly [country: string, city: string, blocks: number][] = [
  ["US", "New York", 24],
  ["US", "Chicago", 14],
  ["DE", "Berlin", 20],
  ["DE", "München", 10],
  ["GB", "London", 20],
  ["FR", "Paris", 16],
  ["BR", "São Paulo", 12],
  ["JP", "Tokyo", 12],
  ["IN", "Mumbai", 10],
  ["NL", "Amsterdam", 8],
  ["PL", "Warsaw", 7],
  ["ES", "Madrid", 7],
  ["CH", "Zurich", 5],
  ["AU", "Sydney", 5],
  ["ZA", "Cape Town", 4],
  ["SG", "Singapore", 3],
];

const FIRST_BLOCK = 11;

/** The networks of the visitors, IPv4 and IPv6. */
export function visitorNetworks(): Network[] {
  let block = FIRST_BLOCK;
  const ipv4 = PLACES.flatMap(([country, city, blocks]) =>
    Array.from({ length: blocks }, () => ({ cidr: `${block++}.0.0.0/8`, country, city }))
  );
  // The four bits behind 2001:db8, one value for each place.
  const ipv6 = PLACES.map(([country, city], i) => {
    return { cidr: `2001:db8:${i.toString(16)}000::/36`, country, city };
  });
  return [...ipv4, ...ipv6];
}

/** The same as a file that agents read. */
export function visitorDatabase(): Uint8Array {
  return mmdb(visitorNetworks(), { type: "Logvend-Demo-City", builtMs: Date.now() });
}
