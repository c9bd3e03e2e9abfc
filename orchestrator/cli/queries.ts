/** `logvend queries`: what was asked of the fleet, by whom, and what came of it; cancels. */
import { LogvendError } from "../../protocol/errors.ts";
import { counted, formatBytes, formatDurationMs } from "../../protocol/units.ts";
import { renderTable } from "../../queries/answer/table.ts";
import { signAction } from "../access/sign.ts";
import { coverageLines } from "../output.ts";
import type { QueryRecord } from "../state/queries.ts";
import type { ApiClient } from "./client.ts";
import { keyOf } from "./question.ts";
import type { Terminal } from "./terminal.ts";

export interface QueriesOptions {
  output: "table" | "json";
  limit: string;
  cancel?: true;
  key?: string;
}

export interface QueriesCommand {
  /** Of one query; all are listed without it. */
  id: string | undefined;
  options: QueriesOptions;
  client: ApiClient;
  terminal: Terminal;
}

const COLUMNS = ["query", "state", "started", "took", "hosts", "rows", "bytes", "sql"]
  .map((name) => ({ name, type: "VARCHAR" }));

const SQL_SHOWN_MAX = 60;

/** @throws {LogvendError} */
export async function queriesCommand(command: QueriesCommand): Promise<void> {
  const { id, options, client, terminal } = command;
  if (id === undefined) {
    if (options.cancel) throw new LogvendError("usage", "Which one? logvend queries ID --cancel");
    return await list(command);
  }
  const record = await client.queryRecord(id, terminal.signal);
  if (!options.cancel) {
    return await terminal.write(
      options.output === "json" ? `${JSON.stringify(record, null, 2)}\n` : recordText(record),
    );
  }
  const signer = { key: await keyOf(options), nowMs: terminal.now() };
  const token = await signAction("cancel", record.id, signer);
  await client.cancel({ id: record.id, token, signal: terminal.signal });
  terminal.error(`${record.query_id} is cancelled`);
}

async function list({ options, client, terminal }: QueriesCommand) {
  const queries = await client.queryRecords(options.limit, terminal.signal);
  if (options.output === "json") {
    return await terminal.write(`${JSON.stringify({ queries }, null, 2)}\n`);
  }
  if (queries.length === 0) return await terminal.write("Nothing was asked yet\n");
  await terminal.write(renderTable(COLUMNS, queries.map(row), terminal.tableLook));
}

function row(record: QueryRecord) {
  const { coverage, elapsed_ms, rows_shipped, bytes_shipped } = record;
  const sql = record.sql.replace(/\s+/g, " ").trim();
  return {
    query: record.query_id,
    state: record.state,
    started: record.started_at.slice(0, 19).replace("T", " "),
    took: elapsed_ms === null ? null : formatDurationMs(elapsed_ms),
    hosts: coverage === null ? null : `${coverage.answered}/${coverage.asked}`,
    rows: rows_shipped === null ? null : String(rows_shipped),
    bytes: bytes_shipped === null ? null : formatBytes(bytes_shipped),
    sql: sql.length <= SQL_SHOWN_MAX ? sql : `${sql.slice(0, SQL_SHOWN_MAX - 1)}…`,
  };
}

function stateText({ state, query_id, asked, error }: QueryRecord): string {
  const isLeft = state === "interrupted" || state === "partial" ||
    (state === "failed" && error?.code === "unavailable");
  if (!isLeft || asked?.source !== "archive") return state;
  return `${state} (the rest of it: logvend query --resume ${query_id})`;
}

/** All that is known of one. */
export function recordText(record: QueryRecord): string {
  const { coverage, error, range, elapsed_ms, rows_shipped, bytes_shipped } = record;
  const facts: [string, string | null][] = [
    ["query", `${record.query_id} (${record.id})`],
    ["state", stateText(record)],
    ["operator", record.operator],
    ["started", record.started_at],
    ["took", elapsed_ms === null ? null : formatDurationMs(elapsed_ms)],
    ["hosts", record.selector === "" ? "all" : record.selector],
    ["mode", record.mode],
    ["range", range === null ? null : `${range.since ?? "ever"} to ${range.until ?? "now"}`],
    [
      "shipped",
      rows_shipped === null
        ? null
        : `${counted(rows_shipped, "row")}, ${formatBytes(bytes_shipped ?? 0)}`,
    ],
    [
      "answered",
      coverage === null ? null : `${coverage.answered}/${counted(coverage.asked, "host")}, ` +
        `${counted(coverage.rows_scanned, "row")} and ${counted(coverage.chunks, "chunk")} read`,
    ],
    ["error", error === null ? null : `${error.code}: ${error.message}`],
  ];
  const lines = facts.filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(9)} ${value}`);
  const missing = coverage === null ? [] : coverageLines(coverage);
  return [...lines, ...missing, "", record.sql.trimEnd(), ""].join("\n");
}
