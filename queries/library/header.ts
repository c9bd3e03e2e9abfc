/** A query of the library: one SELECT under a header of comments that says what it is for. */
import { PARAMETER_TYPES } from "./parameters.ts";
import type { Parameter } from "./parameters.ts";

export interface LibraryColumn {
  name: string;
  /** DuckDB's. */
  type: string;
  about: string;
}

export interface LibraryQuery {
  name: string;
  title: string;
  /** What it answers, as somebody would ask. */
  question: string;
  parameters: readonly Parameter[];
  /** Of the answer, in order. */
  columns: readonly LibraryColumn[];
  /** The table that it reads. */
  stream: string;
  /** Where what it counts is explained. */
  source: string;
  /** The SELECT, with `$name` where a parameter stands. */
  sql: string;
}

/** `-- title: Error bursts`, and of lists `-- column errors BIGINT: those answered with 500`. */
const HEADER_LINE = /^-- (title|question|param|column|stream|source)(?:: (.+)| (.+): (.+))$/;

/** `limit integer = 10`; without a default it has to be given. */
const PARAMETER = /^([a-z_]+) (\w+)(?: = (.+))?$/;

const COLUMN = /^(\w+) (.+)$/;

/** Reads the text of a .sql file. @throws when it has not the form of one: a defect of ours */
export function parseLibraryQuery(name: string, text: string): LibraryQuery {
  const lines = text.trimEnd().split("\n");
  const end = lines.findIndex((line) => !line.startsWith("--"));
  const facts = new Map<string, string>();
  const parameters: Parameter[] = [];
  const columns: LibraryColumn[] = [];
  const fail = (why: string): never => {
    throw new Error(`${name}.sql: ${why}`);
  };
  for (const line of lines.slice(0, end)) {
    const [, key = "", fact, entry = "", about = ""] = HEADER_LINE.exec(line) ?? [];
    if (key === "param" || key === "column") {
      if (key === "param") parameters.push(parameterOf(entry, about) ?? fail(line));
      else columns.push(columnOf(entry, about) ?? fail(line));
    } else if (fact === undefined || facts.has(key)) {
      fail(line);
    } else {
      facts.set(key, fact);
    }
  }
  const fact = (key: string) => facts.get(key) ?? fail(`no ${key}`);
  if (columns.length === 0) fail("no column");
  return {
    name,
    title: fact("title"),
    question: fact("question"),
    parameters,
    columns,
    stream: fact("stream"),
    source: fact("source"),
    sql: lines.slice(end).join("\n"),
  };
}

function parameterOf(entry: string, about: string): Parameter | null {
  const [, name = "", typeName, text] = PARAMETER.exec(entry) ?? [];
  const type = PARAMETER_TYPES.find((known) => known === typeName);
  return type === undefined ? null : { name, type, default: text ?? null, about };
}

function columnOf(entry: string, about: string): LibraryColumn | null {
  const [, name, type] = COLUMN.exec(entry) ?? [];
  return name === undefined || type === undefined ? null : { name, type, about };
}
