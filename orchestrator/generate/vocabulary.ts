/** What the invented shop of the generated traffic is made of: pages, agents, referers, shares. */
import type { Shares } from "./random.ts";

export const SITE = "https://shop.example";

/** Kinds of targets. Their shares among answered requests. */
export const TARGETS: Shares<
  "page" | "product" | "category" | "search" | "api" | "asset" | "image" | "download"
> = [
  ["image", 34],
  ["asset", 21],
  ["product", 16],
  ["category", 9],
  ["api", 9],
  ["page", 7],
  ["search", 3],
  ["download", 1],
];

export const PAGES = [
  "/",
  "/cart",
  "/account",
  "/help/delivery",
  "/help/returns",
  "/about",
  "/news",
];

export const CATEGORIES = [
  "lamps",
  "chairs",
  "tables",
  "shelves",
  "rugs",
  "garden",
  "kitchen",
  "bedding",
  "office",
  "storage",
  "outlet",
  "curtains",
];

export const API_CALLS = ["cart", "stock", "prices", "reviews", "session", "recommendations"];

export const ASSETS = [
  "/assets/shop.6f1d20.css",
  "/assets/shop.91c3aa.js",
  "/assets/vendor.0be47d.js",
  "/assets/icons.svg",
  "/assets/inter.woff2",
  "/favicon.ico",
  "/manifest.webmanifest",
];

export const DOWNLOADS = ["assembly", "care", "warranty", "catalogue"];

export const SEARCHES = ["oak+table", "desk+lamp", "wool+rug", "shelf+80cm", "chair", "blanket"];

/** What scanners try and do not find. */
export const MISSING = [
  "/wp-login.php",
  "/.env",
  "/.git/config",
  "/admin/config.php",
  "/old/index.html",
  "/apple-touch-icon.png",
];

/** What is not for everyone. */
export const CLOSED = ["/admin/orders", "/admin/users", "/api/v1/internal/report"];

/** Shares in percent, as measured on a large public site. */
export const STATUSES: Shares<number> = [
  [200, 92.4],
  [304, 3.28],
  [302, 1.93],
  [404, 1.01],
  [301, 0.65],
  [499, 0.49],
  [500, 0.14],
  [403, 0.05],
  [401, 0.02],
  [429, 0.02],
  [502, 0.01],
];

export const METHODS: Shares<string> = [
  ["GET", 98.3],
  ["POST", 1.34],
  ["HEAD", 0.33],
  ["OPTIONS", 0.02],
  ["DELETE", 0.01],
];

export const VERSIONS: Shares<string> = [["HTTP/1.1", 61], ["HTTP/2.0", 38], ["HTTP/1.0", 1]];

export const REFERERS: Shares<"none" | "site" | "search" | "other"> = [
  ["none", 15.9],
  ["site", 71.6],
  ["search", 9],
  ["other", 3.5],
];

export const SEARCH_ENGINES = [
  "https://www.google.com/",
  "https://www.bing.com/",
  "https://duckduckgo.com/",
];

export const OTHER_SITES = [
  "https://blog.example/ten-lamps-for-small-rooms",
  "https://forum.example/t/48213",
  "https://deals.example/today",
  "https://news.example/living/2024/furniture",
];

const WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)";
const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15";

export const USER_AGENTS: Shares<string> = [
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/124.0.0.0 Safari/537.36`, 21],
  [`Mozilla/5.0 (Linux; Android 14; Pixel 8) ${WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36`, 14],
  [`Mozilla/5.0 (Linux; Android 13; SM-S911B) ${WEBKIT} Chrome/123.0.0.0 Mobile Safari/537.36`, 9],
  [`${IPHONE} (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1`, 17],
  [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Chrome/124.0.0.0 Safari/537.36`, 8],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", 4],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0", 6],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/124.0.0.0 Safari/537.36 ` +
    "Edg/124.0.0.0",
    6,
  ],
  ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 5],
  ["Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", 4],
  ["Mozilla/5.0 (compatible; ShopCrawler/1.3; +https://crawler.example/about)", 2],
  ["ShopApp/4.2.0 (Android 14)", 2],
  ["curl/8.5.0", 1],
  ["python-requests/2.31.0", 1],
];

/** Traffic of each hour of the day, UTC: the busiest has ten times the quietest. */
export const HOUR_PROFILE = [
  0.22,
  0.16,
  0.12,
  0.1,
  0.11,
  0.15,
  0.25,
  0.4,
  0.57,
  0.68,
  0.74,
  0.78,
  0.8,
  0.78,
  0.76,
  0.77,
  0.81,
  0.88,
  0.95,
  1,
  0.97,
  0.82,
  0.57,
  0.36,
];
