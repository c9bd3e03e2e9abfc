/** What an erasure would take, asked of the fleet before anything is erased. */
import { z } from "zod";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { counted } from "../../protocol/units.ts";
import { conditionOf, conditionRequest } from "../../queries/erase/condition.ts";
import type { Erased } from "../../queries/erase/condition.ts";
import { Planner } from "../../queries/plan/planner.ts";
import type { AnswerEnd } from "../api/events.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import { coverageLines } from "../output.ts";
import type { EraseCommand } from "./archive_erase.ts";
import { ask } from "./ask.ts";
import type { RowOutput } from "./row_output.ts";
import { rowOutput } from "./row_output.ts";

/** Counting reads every row of the range. */
const TIMEOUT = "10m";

const Described = z.object({ column_name: z.string(), column_type: z.string() });

/** The columns that a condition names, as the fleet knows them. @throws {LogvendError} */
export async function columnsNamed(
  command: EraseCommand,
  { stream, where }: Pick<Erased, "stream" | "where">,
): Promise<Column[]> {
  const sql = `DESCRIBE ${identifier(stream)}`;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  await question(command, { sql }, {
    format: "jsonl",
    isWritten: false,
    add: (bytes) => {
      pieces.push(bytes);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
    restart() {
      pieces.length = 0;
      return Promise.resolve(true);
    },
  });
  const text = await new Blob(pieces).text();
  const rows = text.trimEnd().split("\n").map((line) => Described.parse(JSON.parse(line)));
  return namedColumns(
    rows.map(({ column_name: name, column_type: type }) => ({ name, type })),
    where,
  );
}

/** Those of some columns that a condition may name. */
export function namedColumns(columns: readonly Column[], where: string): Column[] {
  const text = where.toLowerCase();
  const words = new Set(text.match(/\w+/g));
  const isNamed = (name: string) => words.has(name) || text.includes(`"${name}"`);
  return columns.filter(({ name }) => isNamed(name.toLowerCase()));
}

/** The texts that rejected lines are looked for with. @throws {LogvendError} bad_sql */
export async function meantTexts(erased: Erased): Promise<string[]> {
  await using planner = await Planner.open();
  const { texts } = conditionOf(await planner.plan(conditionRequest(erased)), erased);
  return Object.values(texts).flat();
}

/** Prints the rows by region and host. @throws {LogvendError} what is wrong with the condition */
export async function countRows(
  command: EraseCommand,
  { stream, where, since, until }: Omit<Erased, "columns" | "now">,
): Promise<void> {
  const { terminal } = command;
  const condition = where === "" ? "true" : where;
  const sql = `SELECT region, host, count(*) AS rows FROM ${identifier(stream)}
WHERE (${condition}
) GROUP BY 1, 2 ORDER BY 1, 2`;
  const output = rowOutput("table", { ...terminal, write: (text) => say(command, text) });
  try {
    const end = await question(command, { sql, since, until }, output);
    for (const line of coverageLines(end.coverage)) terminal.error(line);
    terminal.error(`${counted(end.coverage.rows_scanned, "row")} were looked at for that`);
  } catch (error) {
    const isOfTheFleet = error instanceof UnansweredError ||
      (error instanceof LogvendError && ["unavailable", "timeout"].includes(error.code));
    if (!isOfTheFleet) throw error;
    terminal.error(`how many rows is not known: ${messageOf(error)}`);
  }
}

async function question(
  { options, client, terminal }: EraseCommand,
  { sql, since, until }: { sql: string; since?: string; until?: string },
  output: RowOutput,
): Promise<AnswerEnd> {
  const { on, host, region, key } = options;
  const audience = { ...(on && { on }), ...(host && { host }), ...(region && { region }) };
  const asked = {
    ...audience,
    ...(key && { key }),
    ...(since && { since }),
    ...(until && { until }),
  };
  const more = { output: "table", timeout: TIMEOUT, source: "auto", quiet: true } as const;
  const { end } = await ask({ sql, options: { ...asked, ...more }, client, terminal }, output);
  return end;
}

function say({ terminal }: EraseCommand, text: string | Uint8Array): Promise<void> {
  const shown = typeof text === "string" ? text : new TextDecoder().decode(text);
  terminal.error(shown.trimEnd());
  return Promise.resolve();
}
