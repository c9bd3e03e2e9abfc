/** What the fleet says to one question: the merged rows, with their coverage. */
import type { Column } from "../../protocol/messages.ts";
import { formatRows } from "../../queries/answer/format.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { FinishedTable } from "../../queries/answer/json_rows.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Coverage } from "./coverage.ts";
import type { Workspace } from "./workspace.ts";

/** A short name for people, of the id that the operator signed: `q-7f3a2c`. */
export function queryIdOf(claimsId: string): string {
  return `q-${claimsId.slice(0, 6)}`;
}

export interface AnswerFacts {
  queryId: string;
  mode: Plan["mode"];
  range: Plan["range"];
  columns: Column[];
  coverage: Coverage;
  elapsedMs: number;
  /** Of the hosts' messages. */
  rowsShipped: number;
  bytesShipped: number;
}

interface AnswerParts {
  /** Where the table is. */
  workspace: Workspace;
  table: FinishedTable;
  /** What is disposed of with the answer. */
  owned: AsyncDisposable;
}

/** Holds the workspace with the rows until it is disposed of. */
export class Answer implements AsyncDisposable {
  constructor(readonly facts: AnswerFacts, private readonly parts: AnswerParts) {}

  /** True when every asked host is in it. */
  get complete(): boolean {
    return this.facts.coverage.missing.length === 0;
  }

  rows(format: RowFormat): AsyncIterable<Uint8Array<ArrayBuffer>> {
    const { workspace, table } = this.parts;
    return formatRows(workspace.engine, table, format, workspace.folder());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.owned[Symbol.asyncDispose]();
  }
}
