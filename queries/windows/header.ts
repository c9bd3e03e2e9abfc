/** A list of a window: one SELECT under a header of comments that says what it counts. */

/** What one window's rows are counted by, and how much of it is kept. */
export interface WindowList {
  /** What its events are called; also their `group`. */
  group: string;
  title: string;
  /** The rows with the highest counts that are kept. */
  top: number;
  /** Rows with a lower count are left out. */
  least: number;
  /** The table that the SELECT reads. */
  stream: string;
  /** Columns that it reads; null: what the SQL names. */
  needs: readonly string[] | null;
  /** Gives `count`, and `value` where there is more than one row; other columns become fields. */
  sql: string;
}

/** A header may leave out what has a default. */
const TOP_DEFAULT = 10;
const LEAST_DEFAULT = 1;

/** More rows are no aggregate: a window has some hundred events in all. */
export const TOP_MAX = 100;

const HEADER_LINE = /^-- (title|group|top|least|column|stream|needs)(?:: (.+)| (.+): (.+))$/;

const GROUP = /^[a-z][a-z0-9_]{0,39}$/;

const STREAM = /^[a-z][a-z0-9_]{0,62}$/;

/** Reads the text of a .sql file. @throws {Error} saying what is wrong with the header */
export function parseWindowList(name: string, text: string): WindowList {
  const lines = text.trimEnd().split("\n");
  const end = lines.findIndex((line) => !line.startsWith("--"));
  const facts = new Map<string, string>();
  for (const line of lines.slice(0, end < 0 ? lines.length : end)) {
    const [, key, fact] = HEADER_LINE.exec(line) ?? [];
    if (key === "column") continue; // for whoever reads it
    if (key === undefined || fact === undefined || facts.has(key)) {
      throw new Error(
        `${name}: "${line}"; a header has -- title: …, -- group: …, -- top: 10, -- least: 3, ` +
          "-- stream: logs, each once, and -- column NAME TYPE: …",
      );
    }
    facts.set(key, fact);
  }
  if (end < 0) throw new Error(`${name}: no SELECT under the header`);
  const group = facts.get("group");
  if (group === undefined || !GROUP.test(group)) {
    throw new Error(`${name}: wanted -- group: NAME (a-z, 0-9 and _), which its events are called`);
  }
  const stream = facts.get("stream") ?? "logs";
  if (!STREAM.test(stream)) throw new Error(`${name}: wanted -- stream: NAME of a stream`);
  return {
    group,
    title: facts.get("title") ?? group,
    top: numberOf(name, "top", facts.get("top"), { otherwise: TOP_DEFAULT, max: TOP_MAX }),
    least: numberOf(name, "least", facts.get("least"), { otherwise: LEAST_DEFAULT, max: 1e12 }),
    stream,
    needs: facts.get("needs")?.split(" ") ?? null,
    sql: lines.slice(end).join("\n"),
  };
}

function numberOf(
  name: string,
  key: string,
  text: string | undefined,
  { otherwise, max }: { otherwise: number; max: number },
): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= max) return number;
  throw new Error(`${name}: -- ${key}: ${text}; wanted a whole number from 1 to ${max}`);
}
