/** Writes small databases of places in the MaxMind DB format, as the agents read them. */

/** A network, and where it is. */
export interface Network {
  /** `203.0.113.0/24`, `2001:db8::/32` */
  cidr: string;
  /** ISO 3166-1 alpha-2. */
  country: string;
  /** In English. */
  city?: string;
  /** Degrees: latitude, longitude. */
  at?: readonly [number, number];
}

export interface MmdbOptions {
  /** What the database says it is. */
  type: string;
  builtMs: number;
}

/** IPv4 addresses are the IPv6 ones that begin with so many zeros. */
const IPV4_BITS = 96;

/** Of one record: a node has two. Enough for some million networks. */
const RECORD_BYTES = 3;

/** Between the tree and the data. */
const SEPARATOR_BYTES = 16;

const METADATA_MARKER = Uint8Array.of(0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com"));

/** What either bit of an address leads to: the next node, data (where it begins), or nothing. */
type Target = { node: number } | { data: number } | null;

/**
 * The bytes of the file. A network inside of another must come behind it.
 * https://maxmind.github.io/MaxMind-DB/
 */
export function mmdb(networks: readonly Network[], { type, builtMs }: MmdbOptions): Uint8Array {
  const data = new DataSection();
  const nodes: [Target, Target][] = [[null, null]];
  for (const { cidr, country, city, at } of networks) {
    const place = {
      country: { iso_code: country },
      ...(city === undefined ? {} : { city: { names: { en: city } } }),
      ...(at === undefined ? {} : { location: { latitude: at[0], longitude: at[1] } }),
    };
    insert(nodes, bitsOf(cidr), { data: data.add(encodeMap(place)) });
  }
  const metadata = encodeMap({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: Math.floor(builtMs / 1_000),
    database_type: type,
    description: { en: type },
    ip_version: 6,
    languages: ["en"],
    node_count: nodes.length,
    record_size: 8 * RECORD_BYTES,
  });
  const separator = new Uint8Array(SEPARATOR_BYTES);
  return Uint8Array.from([
    ...tree(nodes),
    ...separator,
    ...data.bytes,
    ...METADATA_MARKER,
    ...metadata,
  ]);
}

/** Leads the addresses that begin with these bits to a target. */
function insert(nodes: [Target, Target][], bits: readonly (0 | 1)[], target: Target) {
  let node = nodes[0]!;
  for (const bit of bits.slice(0, -1)) {
    const next = node[bit];
    const isNode = next !== null && "node" in next;
    const index = isNode ? next.node : nodes.push([next, next]) - 1;
    node[bit] = { node: index };
    node = nodes[index]!;
  }
  node[bits.at(-1) ?? 0] = target;
}

function tree(nodes: readonly [Target, Target][]): Uint8Array {
  const bytes = new Uint8Array(nodes.length * 2 * RECORD_BYTES);
  for (const [i, target] of nodes.flat().entries()) {
    const value = target === null
      ? nodes.length
      : "node" in target
      ? target.node
      : nodes.length + SEPARATOR_BYTES + target.data;
    bytes.set(bigEndian(value, RECORD_BYTES), i * RECORD_BYTES);
  }
  return bytes;
}

/** The bits that the addresses of a network begin with. */
function bitsOf(cidr: string): (0 | 1)[] {
  const [address = "", length = ""] = cidr.split("/");
  const isIPv4 = !address.includes(":");
  const bytes = isIPv4 ? address.split(".").map(Number) : ipv6Bytes(address);
  const bits = bytes.flatMap((byte) => [...byte.toString(2).padStart(8, "0")])
    .slice(0, Number(length)).map((bit) => bit === "1" ? 1 : 0);
  return isIPv4 ? [...new Array<0>(IPV4_BITS).fill(0), ...bits] : bits;
}

function ipv6Bytes(address: string): number[] {
  const [left, right] = address.split("::").map((half) => half.split(":").filter((group) => group));
  const groups = [...left ?? [], ...right ?? []];
  const zeros = new Array<string>(8 - groups.length).fill("0");
  return [...left ?? [], ...zeros, ...right ?? []].flatMap((group) =>
    bigEndian(parseInt(group, 16), 2)
  );
}

/** Places, each once. */
class DataSection {
  readonly bytes: number[] = [];
  private readonly known = new Map<string, number>();

  /** Where it begins. */
  add(encoded: readonly number[]): number {
    const key = encoded.join();
    const before = this.known.get(key);
    if (before !== undefined) return before;
    const start = this.bytes.length;
    this.known.set(key, start);
    this.bytes.push(...encoded);
    return start;
  }
}

type Value = string | number | readonly string[] | { readonly [key: string]: Value };

/** Types as the format numbers them; those above 7 stand in a byte of their own. */
const [STRING, DOUBLE, UINT32, MAP, UINT64, ARRAY] = [2, 3, 6, 7, 9, 11];

/** Numbers whose type is not UINT32. */
const NUMBER_TYPES: Readonly<Record<string, number>> = {
  build_epoch: UINT64,
  latitude: DOUBLE,
  longitude: DOUBLE,
};

const DOUBLE_BYTES = 8;

function encodeMap(map: Readonly<Record<string, Value>>): number[] {
  const entries = Object.entries(map);
  return [
    ...control(MAP, entries.length),
    ...entries.flatMap(([key, value]) => [...encode(key), ...encode(value, NUMBER_TYPES[key])]),
  ];
}

function encode(value: Value, numberType = UINT32): number[] {
  if (typeof value === "number") {
    if (numberType !== DOUBLE) return [...control(numberType, 4), ...bigEndian(value, 4)];
    const bytes = new Uint8Array(DOUBLE_BYTES);
    new DataView(bytes.buffer).setFloat64(0, value);
    return [...control(DOUBLE, DOUBLE_BYTES), ...bytes];
  }
  if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    return [...control(STRING, bytes.length), ...bytes];
  }
  if (isList(value)) {
    return [...control(ARRAY, value.length), ...value.flatMap((one) => encode(one))];
  }
  return encodeMap(value);
}

function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}

/** Type and size of a value, which has at most 284 bytes or parts. */
function control(type: number, size: number): number[] {
  const [inByte, behind] = size < 29 ? [size, []] : [29, [size - 29]];
  return type <= MAP ? [(type << 5) | inByte, ...behind] : [inByte, type - MAP, ...behind]; // the extended type stands before the size
}

function bigEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
}
