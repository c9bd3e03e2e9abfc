/** What may stand where the cursor is: tables, their columns, keywords, functions, commands. */
import { AGGREGATES, SCALARS } from "../../../queries/gate_functions.ts";

const KEYWORDS =
  `ALL AND ANY AS ASC BETWEEN BY CASE CAST CROSS DESC DESCRIBE DISTINCT ELSE END EXCEPT
  EXISTS FALSE FILTER FROM FULL GROUP GROUPING HAVING ILIKE IN INNER INTERSECT INTERVAL IS JOIN LEFT
  LIKE LIMIT NOT NULL OFFSET ON OR ORDER OUTER OVER PARTITION PIVOT QUALIFY REPLACE RIGHT ROLLUP
  SELECT SETS SHOW TABLES THEN TRUE UNION USING VALUES WHEN WHERE WINDOW WITH`.split(/\s+/);

/** Names that need no quotes. */
const FUNCTIONS = [...AGGREGATES, ...SCALARS].filter((name) => /^[a-z_]\w*$/.test(name));

/** Column names by table. */
export type TableColumns = ReadonlyMap<string, readonly string[]>;

export interface CompletionRequest {
  /** The lines of the statement before this one. */
  before: string;
  /** This line up to the cursor. */
  line: string;
  tables: TableColumns;
  /** Those that begin with a backslash. */
  commands: readonly string[];
}

/** The words that may stand for the last one, and that one as it is. */
export function completions(request: CompletionRequest): [words: string[], word: string] {
  const { before, line, tables, commands } = request;
  const command = /^\s*(\\\w*)$/.exec(line)?.[1];
  if (command !== undefined) return [commands.filter((name) => name.startsWith(command)), command];
  const word = /\w*$/.exec(line)?.[0] ?? "";
  const text = `${before}${line.slice(0, line.length - word.length)}`;
  const wanted = /(?:\b(?:from|join|describe|table)|\\d)\s+$/i.test(text)
    ? [...tables.keys()]
    : [...columnsFor(`${before}${line}`, tables), ...(word === "" ? [] : otherWords(word, tables))];
  const lower = word.toLowerCase();
  const fitting = wanted.filter((name) => name.toLowerCase().startsWith(lower));
  return [[...new Set(fitting)].map((name) => name.endsWith("(") ? name : `${name} `), word];
}

/** Of the tables that the statement names so far; of all while it names none. */
function columnsFor(text: string, tables: TableColumns): string[] {
  const names = new Set(text.toLowerCase().match(/\w+/g));
  const named = [...tables].filter(([table]) => names.has(table));
  return (named.length === 0 ? [...tables] : named).flatMap(([, columns]) => columns);
}

/** In the case that the word is typed in. */
function otherWords(word: string, tables: TableColumns): string[] {
  const isLower = word === word.toLowerCase();
  const keywords = isLower ? KEYWORDS.map((keyword) => keyword.toLowerCase()) : KEYWORDS;
  return [...tables.keys(), ...keywords, ...FUNCTIONS.map((name) => `${name}(`)];
}
