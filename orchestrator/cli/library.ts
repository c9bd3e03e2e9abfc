/** `logvend library`: the questions that have a name. */
import { LIBRARY_NAMES, libraryQuery, libraryText } from "../../queries/library/library.ts";
import { renderTable } from "../../queries/answer/table.ts";
import type { Parameter } from "../../queries/library/parameters.ts";
import type { Terminal } from "./terminal.ts";

export const LIBRARY_FORMATS = ["text", "json"] as const;
export type LibraryFormat = typeof LIBRARY_FORMATS[number];

const COLUMNS = ["name", "question", "parameters"].map((name) => ({ name, type: "VARCHAR" }));

/** Prints them all. */
export async function libraryList(format: LibraryFormat, terminal: Terminal): Promise<void> {
  const queries = LIBRARY_NAMES.map(libraryQuery);
  if (format === "json") return await writeJson({ queries }, terminal);
  const rows = queries.map(({ name, question, parameters }) => ({
    name,
    question,
    parameters: parameters.map(parameterText).join(" "),
  }));
  await terminal.write(renderTable(COLUMNS, rows, terminal.tableLook));
}

/** Prints one, its file as it is. @throws {LogvendError} usage, when there is none */
export async function libraryShow(
  name: string,
  format: LibraryFormat,
  terminal: Terminal,
): Promise<void> {
  const plain = name.replace(/^@/, "");
  if (format === "json") return await writeJson(libraryQuery(plain), terminal);
  await terminal.write(libraryText(plain));
}

/** `limit=10`; without its default `address=…`. */
function parameterText({ name, default: value }: Parameter): string {
  return `${name}=${value ?? "…"}`;
}

async function writeJson(value: unknown, terminal: Terminal) {
  await terminal.write(`${JSON.stringify(value, null, 2)}\n`);
}
