/** Splits one SELECT into what every host runs and what merges their rows: the same on both sides. */
import type { Range } from "../../protocol/claims.ts";
import type { Column } from "../../protocol/messages.ts";

/** Raised with every change that makes a host's partial differ; both sides must agree on it. */
export const PLAN_VERSION = 1;

export interface PlanRequest {
  sql: string;
  /** Tables that the SQL may name; their columns are those of `schemaOf`. */
  tables: readonly string[];
  /** The instant that now(), today() and the like stand for: ISO 8601, UTC. */
  now: string;
  /** Dropped when it is implied and a conjunct of WHERE bounds ts or time_local. */
  range: Range;
  /** The most rows that rows mode ships. */
  rowsMax: number;
}

/** What one host runs, over tables named like the streams, and the shape of what comes out. */
export interface Partial {
  /** The table that the merge reads; hosts' rows are loaded into it. */
  table: string;
  sql: string;
  columns: Column[];
}

export interface Plan {
  /** `rows` ships the needed rows: its size grows with the data. */
  mode: "aggregate" | "top_k" | "rows";
  /** Why rows: "string_agg(request) at 1:8 cannot be merged from partial results". */
  reason: string | null;
  /** Base tables that the SQL reads. */
  tables: string[];
  /** What the hosts' tables are cut to, half-open over `ts`. */
  range: { since: string | null; until: string | null };
  partials: Partial[];
  /** Runs over the partial tables, each holding the rows of all hosts. */
  mergeSql: string;
  /** Names and types of the answer: those that one DuckDB holding every row would give. */
  columns: Column[];
}

export class Planner implements AsyncDisposable {
  /** Opens a warm planner. Calls of `plan` may overlap. */
  static open(): Promise<Planner> {
    throw new Error("being written");
  }

  /** @throws {LogvendError} bad_sql, with the position "line:column" */
  plan(_request: PlanRequest): Promise<Plan> {
    throw new Error("being written");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
