/** Which lines the store holds, read from its Parquet files past the agent, and what that proves. */
import { schemaOf } from "../../protocol/schema/streams.ts";
import { join } from "node:path";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { REGION } from "./agent_process.ts";
import { readCommits } from "./data_folder.ts";
import type { NamedFile } from "./data_folder.ts";
import { LINE_NUMBER } from "./writer.ts";

/** How often each numbered line is stored. */
export type StoredLines = ReadonlyMap<number, number>;

/** Reads the numbers of all lines, rejects included, of a folder that no agent writes. */
export async function storedLines(dataDir: string): Promise<StoredLines> {
  const { files } = await readCommits(dataDir);
  return await linesOf(dataDir, files);
}

/** A file and whose lines are in it. */
type NamedLines = Pick<NamedFile, "stream" | "path">;

/** The numbers of the lines of some files. */
export async function linesOf(dataDir: string, files: readonly NamedLines[]): Promise<StoredLines> {
  const stored = new Map<number, number>();
  await using engine = await Engine.open({ memoryBytes: 2 ** 30 });
  for (const [stream, ofStream] of Map.groupBy(files, (file) => file.stream)) {
    const { rows } = await engine.read(
      `SELECT regexp_extract(line::VARCHAR, '${LINE_NUMBER}', 1) AS number, count(*)
       FROM (${linesSelect(dataDir, stream, ofStream)}) GROUP BY 1`,
    );
    for (const [text, count] of rows) {
      if (text === "") continue; // a line that has no number
      const number = Number(text);
      stored.set(number, (stored.get(number) ?? 0) + Number(count));
    }
  }
  return stored;
}

/** The exact bytes of every stored line, as hex, in no order. */
export async function storedBytes(dataDir: string): Promise<string[]> {
  const { files } = await readCommits(dataDir);
  await using engine = await Engine.open({ memoryBytes: 2 ** 30 });
  const texts: string[] = [];
  for (const [stream, ofStream] of Map.groupBy(files, (file) => file.stream)) {
    const column = stream === REJECTS ? "line" : "line_bytes";
    const paths = ofStream.map(({ path }) => join(dataDir, path));
    const range = { since: null, until: null, region: REGION };
    const select = tableSelect(schemaOf(stream), {
      files: paths,
      columns: [{ name: column, type: "BLOB" }],
      ...range,
    });
    const { rows } = await engine.read(`SELECT hex(${column}) FROM (${select})`);
    for (const [hex] of rows) texts.push(String(hex));
  }
  return texts;
}

function linesSelect(dataDir: string, stream: string, files: readonly NamedLines[]): string {
  return tableSelect(schemaOf(stream), {
    files: files.map(({ path }) => join(dataDir, path)),
    region: REGION,
    since: null,
    until: null,
    columns: [{ name: "line", type: stream === REJECTS ? "BLOB" : "VARCHAR" }],
  });
}

export interface Expected {
  /** Numbers of the lines that must be there, once each. */
  lines: readonly number[];
  /** Numbers that may be there, once: lines that a fault may have destroyed unread. */
  maybe?: readonly number[];
  /** How many retention has removed, to tell what is missing from what was to go. @default 0 */
  retired?: number;
}

/** @throws naming what is missing, doubled or never written */
export function assertOnce(stored: StoredLines, { lines, maybe = [], retired = 0 }: Expected) {
  const missing = lines.filter((number) => !stored.has(number));
  const doubled = [...stored].filter(([, count]) => count > 1).map(([number]) => number);
  const written = new Set([...lines, ...maybe]);
  const alien = [...stored.keys()].filter((number) => !written.has(number));
  const problems = [
    ...problem("missing", missing),
    ...problem("stored more than once", doubled),
    ...problem("stored and never written", alien),
  ];
  if (problems.length > 0) {
    const removed = retired > 0 ? `, ${retired} removed by retention` : "";
    throw new Error(
      `Of ${lines.length} lines to be there, ${stored.size} stored${removed}: ${
        problems.join("; ")
      }`,
    );
  }
}

function problem(what: string, numbers: readonly number[]): string[] {
  if (numbers.length === 0) return [];
  const shown = numbers.toSorted((a, b) => a - b).slice(0, 8).join(", ");
  return [`${numbers.length} ${what} (${shown}${numbers.length > 8 ? ", …" : ""})`];
}
