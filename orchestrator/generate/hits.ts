/** One request of the generated traffic: who asks for what, and what comes back. */
import { drawing, drawNormal, drawRank, scramble } from "./random.ts";
import type { Random } from "./random.ts";
import * as words from "./vocabulary.ts";

/** What a server logs of a request. */
export interface Hit {
  address: string;
  user: string;
  method: string;
  target: string;
  version: string;
  status: number;
  bytes: number;
  referer: string;
  userAgent: string;
  durationMs: number;
}

/** The busiest address then has 3.4 % of the requests. */
const ADDRESSES = 300_000;
const PRODUCTS = 6_000;

/** Of answers with a body: gives a mean of 12.4 KB and a median of 4.1 KB over all answers. */
const BYTES_MEDIAN = 4_850;
const BYTES_SPREAD = 1.434;
const BYTES_MAX = 1_250_000;

const drawStatus = drawing(words.STATUSES);
const drawMethod = drawing(words.METHODS);
const drawVersion = drawing(words.VERSIONS);
const drawReferer = drawing(words.REFERERS);
const drawTarget = drawing(words.TARGETS);
const drawUserAgent = drawing(words.USER_AGENTS);

/** Draws a request. */
export function drawHit(random: Random): Hit {
  const visitor = drawRank(random, ADDRESSES);
  const status = drawStatus(random);
  const method = drawMethod(random);
  return {
    address: addressOf(visitor),
    user: status === 401 || visitor % 997 === 0 ? "editor" : "-",
    method,
    target: targetOf(random, method, status),
    version: drawVersion(random),
    status,
    bytes: bytesOf(random, method, status),
    referer: refererOf(random),
    userAgent: drawUserAgent(() => scramble(visitor) / 2 ** 32),
    durationMs: Math.min(60_000, Math.round(18 * Math.exp(1.1 * drawNormal(random)))),
  };
}

/** The n-th visitor's address: most are IPv4. */
function addressOf(visitor: number): string {
  const bits = scramble(visitor + 0x5bd1e995);
  if (visitor % 31 === 7) {
    return `2001:db8:${(bits >>> 16).toString(16)}:${(bits & 0xffff).toString(16)}::1`;
  }
  const first = 11 + (bits >>> 24) % 180;
  // 127 is no address of a visitor.
  return `${first === 127 ? 128 : first}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${
    bits & 255
  }`;
}

function targetOf(random: Random, method: string, status: number): string {
  if (status === 404) return pick(random, words.MISSING);
  if (status === 401 || status === 403) return pick(random, words.CLOSED);
  if (method === "POST" || method === "DELETE" || status === 429) return apiCall(random);
  if (status === 302) return `/account?return=${encodeURIComponent(pick(random, words.PAGES))}`;
  switch (drawTarget(random)) {
    case "page":
      return pick(random, words.PAGES);
    case "product":
      return `/products/${productOf(random)}`;
    case "category":
      return `/category/${pick(random, words.CATEGORIES)}?page=${drawRank(random, 40)}`;
    case "search":
      return `/search?q=${pick(random, words.SEARCHES)}&page=${drawRank(random, 9)}`;
    case "api":
      return apiCall(random);
    case "asset":
      return pick(random, words.ASSETS);
    case "image":
      return `/images/products/${productOf(random)}.jpg`;
    case "download":
      return `/downloads/${pick(random, words.DOWNLOADS)}-${productOf(random)}.pdf`;
  }
}

function apiCall(random: Random): string {
  return `/api/v1/${pick(random, words.API_CALLS)}/${productOf(random)}`;
}

function productOf(random: Random): number {
  return 10_000 + scramble(drawRank(random, PRODUCTS)) % 90_000;
}

function bytesOf(random: Random, method: string, status: number): number {
  if (method === "HEAD" || status === 304 || status === 499) return 0;
  if (status === 301 || status === 302) return 162;
  if (status >= 400) return 146 + Math.floor(random() * 400);
  const bytes = BYTES_MEDIAN * Math.exp(BYTES_SPREAD * drawNormal(random));
  return Math.min(BYTES_MAX, Math.round(bytes));
}

function refererOf(random: Random): string {
  switch (drawReferer(random)) {
    case "none":
      return "-";
    case "site":
      return random() < 0.4
        ? `${words.SITE}/category/${pick(random, words.CATEGORIES)}`
        : `${words.SITE}/products/${productOf(random)}`;
    case "search":
      return pick(random, words.SEARCH_ENGINES);
    case "other":
      return pick(random, words.OTHER_SITES);
  }
}

/** The first items more often than the last. */
function pick(random: Random, items: readonly string[]): string {
  return items[drawRank(random, items.length) - 1] ?? "/";
}
