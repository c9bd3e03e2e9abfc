/** What the fleet says to one question: the merged rows, with their coverage. */
import type { Column } from "../../protocol/messages.ts";
import { formatRows } from "../../queries/answer/format.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { Plan } from "../../queries/plan/planner.ts";
import type { Coverage } from "./coverage.ts";
import { ANSWER_TABLE } from "./merge.ts";
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
}

/** Holds the workspace with the rows until it is disposed of. */
export class Answer implements AsyncDisposable {
  constructor(
    readonly facts: AnswerFacts,
    private readonly workspace: Workspace,
    private readonly owned: AsyncDisposable,
  ) {}

  /** True when every asked host is in it. */
  get complete(): boolean {
    return this.facts.coverage.missing.length === 0;
  }

  rows(format: RowFormat): AsyncIterable<Uint8Array<ArrayBuffer>> {
    const { workspace } = this;
    const table = { name: ANSWER_TABLE, columns: this.facts.columns };
    return formatRows(workspace.engine, table, format, workspace.folder());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.owned[Symbol.asyncDispose]();
  }
}
