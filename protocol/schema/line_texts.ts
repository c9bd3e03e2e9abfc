/** Finds lines by a text without building them: the columns that they are made of tell. */
import { layoutPieces } from "./layout.ts";
import type { LayoutPiece } from "./layout.ts";
import type { StreamShape } from "./stream_shape.ts";
import { literal } from "./table_sql.ts";
import { valueHolds } from "./value_texts.ts";

/** What a query wants of the lines of a table. */
export interface LineTests {
  /** Texts that every line has which matters. */
  texts: readonly string[];
  /** Whether that is all it wants: any line will do that has them where the real one has. */
  suffice: boolean;
}

/** An expression for `line`, made of the one that builds it. */
export type LineSql = (built: string) => string;

type Layout = readonly LayoutPiece[];

const COMMON: Layout = [
  ["remote_addr", "text"],
  " - ",
  ["remote_user", "text"],
  " [",
  ["ts", "nginx"],
  '] "',
  ["http_method", "text"],
  " ",
  ["request", "text"],
  " ",
  ["http_version", "text"],
  '" ',
  ["status", "whole"],
  " ",
  ["body_bytes_sent", "whole"],
];

const COMBINED: Layout = [
  ...COMMON,
  ' "',
  ["http_referer", "text"],
  '" "',
  ["http_user_agent", "text"],
  '"',
];

/** The layouts that have names (streams.ts). */
const ACCESS_LAYOUTS: Readonly<Record<string, Layout>> = {
  common: COMMON,
  combined: COMBINED,
  combined_time: [...COMBINED.slice(0, -1), '" ', ["request_time_ms", "seconds"]],
  json: [
    '{"remote_addr":"',
    ["remote_addr", "text"],
    '","remote_user":"',
    ["remote_user", "text"],
    '","time_local":"',
    ["ts", "iso0T"], // in UTC, and so have its rows
    '","http_method":"',
    ["http_method", "text"],
    '","request":"',
    ["request", "text"],
    '","http_version":"',
    ["http_version", "text"],
    '","status":',
    ["status", "whole"],
    ',"body_bytes_sent":',
    ["body_bytes_sent", "whole"],
    ',"http_referer":"',
    ["http_referer", "text"],
    '","http_user_agent":"',
    ["http_user_agent", "text"],
    '"}',
  ],
};

/** Parts of one text that are looked for; further ones would leave few more lines out. */
const PARTS_MAX = 3;

/**
 * How `line` may be had cheaply by a query that wants these texts of it: NULL where a line lacks one
 * of them. Null: such lines cannot be told without being built.
 */
export function testedLine(shape: StreamShape, { texts, suffice }: LineTests): LineSql | null {
  const tellings = texts.map((text) => tellingOf(shape, text)).filter((one) => one !== null);
  if (tellings.length === 0) return null;
  const isToldOf = suffice && tellings.length === texts.length;
  const surely = tellings.map((one) => one.surely);
  const perhaps = all(tellings.map((one) => either([one.surely, one.perhaps])));
  if (!isToldOf || surely.includes(null)) {
    return (built) => `CASE WHEN line_text IS NOT NULL OR (${perhaps}) THEN ${built} END`;
  }
  const stand = literal(texts.join(" "));
  const unsure = tellings.some((one) => one.perhaps !== null);
  return (built) =>
    `CASE WHEN line_text IS NOT NULL THEN line_text WHEN ${all(surely)} THEN ${stand}${
      unsure ? ` WHEN ${perhaps} THEN ${built}` : ""
    } END`;
}

/** SQL over physical columns of lines that are not kept whole; null: true of none. */
interface Telling {
  /** True: the line has the text. */
  surely: string | null;
  /** True: it may have it. All others, neither surely nor perhaps, have it not. */
  perhaps: string | null;
}

/** Null: any line may have the text. */
export function tellingOf(shape: StreamShape, text: string): Telling | null {
  if (text === "" || text.includes("\0")) return null; // SQL ends there
  const layouts = layoutsOf(shape);
  const isWhole = layouts.every(([, pieces]) => isWithinValues(pieces, text));
  const parts = isWhole ? [text] : partsOf(text, layouts);
  const holdings = parts.map((part) => holdingsOf(shape, part, layouts))
    .filter((one) => one !== null);
  if (holdings.length === 0) return null;
  const perhaps = all(holdings.map((one) => either(one.map(({ sql }) => sql))));
  const [only] = holdings;
  if (!isWhole || only === undefined) return { surely: null, perhaps };
  return {
    surely: only.length === 0 ? "false" : any(only.map(({ exact }) => exact)),
    perhaps: any(only.map(({ sql, exact }) => exact === sql ? null : sql)),
  };
}

/** A value of lines that may hold a text. */
interface Holding {
  /** True where it does, or may. */
  sql: string;
  /** True only where the line has it from there; null: that is not known. */
  exact: string | null;
}

/** Null: any line may have it. */
function holdingsOf(
  { fields }: StreamShape,
  part: string,
  layouts: readonly (readonly [string, Layout])[],
): Holding[] | null {
  if (/^\d{1,2}$/.test(part)) return null; // every time has such numbers
  const values = new Map<string, { value: readonly [string, string]; names: Set<string> }>();
  for (const [name, pieces] of layouts) {
    for (const value of pieces) {
      if (typeof value === "string") continue;
      const key = JSON.stringify(value);
      const seen = values.get(key) ?? { value, names: new Set() };
      values.set(key, seen);
      seen.names.add(name);
    }
  }
  const holdings: Holding[] = [];
  for (const { value, names } of values.values()) {
    const held = valueHolds(value, part, fields);
    if (held === "perhaps") return null;
    if (held === null) continue;
    const { sql, isExact } = held;
    const isEverywhere = layouts.every(([name]) => names.has(name) || isEmptyIn(name, value));
    const list = [...names].map(literal).join(", ");
    const exact = isEverywhere ? sql : `((${sql}) AND layout IN (${list}))`;
    holdings.push({ sql, exact: isExact ? exact : null });
  }
  return holdings;
}

/** Rows of the common format have no referer and no user agent. */
function isEmptyIn(layout: string, [column]: readonly [string, string]): boolean {
  return layout === "common" && (column === "http_referer" || column === "http_user_agent");
}

/** With the names that stand in the column `layout`. */
function layoutsOf({ access, layouts }: StreamShape): (readonly [string, Layout])[] {
  const learned = layouts.map((layout) => [layout, layoutPieces(layout) ?? []] as const);
  return access ? [...Object.entries(ACCESS_LAYOUTS), ...learned] : learned;
}

/** Whether a line that has the text has it in one of its values, and nowhere else. */
function isWithinValues(pieces: Layout, text: string): boolean {
  return pieces.every((piece, i) => {
    const next = pieces[i + 1];
    if (typeof piece !== "string") return next === undefined || typeof next === "string";
    if (piece === "" || piece.includes(text)) return false;
    const [before, after] = [typeof pieces[i - 1], typeof next];
    return before !== "string" && after !== "string" && !reaches(text, piece);
  });
}

/** Whether a text may lie over an edge between a value and what stands beside it. */
function reaches(text: string, beside: string): boolean {
  for (let at = 1; at < text.length; at++) {
    const [left, right] = [text.slice(0, at), text.slice(at)];
    if (beside.endsWith(left) || left.endsWith(beside)) return true;
    if (beside.startsWith(right) || right.startsWith(beside)) return true;
  }
  return false;
}

/** Stretches of the text that can lie in values only; those that say most. */
function partsOf(text: string, layouts: readonly (readonly [string, Layout])[]): string[] {
  const edges = new Set(
    layouts.flatMap(([, pieces]) => pieces).filter((piece) => typeof piece === "string")
      .flatMap((piece) => [[...piece].at(0), [...piece].at(-1)]),
  );
  const marked = [...text].map((char) => edges.has(char) ? "\n" : char).join("");
  const parts = marked.split("\n").filter((part) =>
    part !== "" && layouts.every(([, pieces]) => isWithinValues(pieces, part))
  );
  // Numbers and times have no letters.
  const weight = (part: string) => part.length + (/[A-Za-z]/.test(part) ? 1_000 : 0);
  return [...new Set(parts)].toSorted((a, b) => weight(b) - weight(a)).slice(0, PARTS_MAX);
}

function all(conditions: readonly (string | null)[]): string {
  return conditions.map((one) => `(${one ?? "false"})`).join(" AND ");
}

function either(conditions: readonly (string | null)[]): string {
  return any(conditions) ?? "false";
}

function any(conditions: readonly (string | null)[]): string | null {
  const known = new Set(conditions.filter((one) => one !== null));
  return known.size === 0 ? null : [...known].join(" OR ");
}
