/** What the fleet says to one question: the merged rows, with their coverage. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Column } from "../../protocol/wire/messages.ts";
import { formatRows } from "../../queries/answer/format.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Exports } from "../export/exports.ts";
import type { Coverage } from "./coverage.ts";
import type { Merged } from "./merge.ts";
import type { Workspace } from "./workspace.ts";

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
  merged: Merged;
  /** Where the rows are. */
  workspace: Workspace;
  exports: Exports;
  /** What was asked for: it ends the writing of a long answer. */
  signal: AbortSignal;
  /** Within which the first row of a long answer must come. */
  timeoutMs: number;
  /** What is disposed of with the answer. */
  owned: AsyncDisposable;
}

/** Holds the workspace with the rows until it is disposed of. */
export class Answer implements AsyncDisposable {
  private readonly ended = Promise.withResolvers<void>();

  constructor(readonly facts: AnswerFacts, private readonly parts: AnswerParts) {
    this.ended.promise.catch(() => {}); // whoever reads the rows is told
    if (parts.merged.kind === "held") this.ended.resolve();
  }

  /** True when every asked host is in it. */
  get complete(): boolean {
    return this.facts.coverage.missing.length === 0;
  }

  /** Settles when the answer cannot fail any more: a long one while its rows are read. */
  get settled(): Promise<void> {
    return this.ended.promise;
  }

  /** To be read once. @throws {LogvendError} of a long answer: bad_sql, timeout or cancelled */
  async *rows(format: RowFormat): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { merged, workspace, exports, signal, timeoutMs } = this.parts;
    if (merged.kind === "held") {
      yield* formatRows(workspace.engine, merged.table, format, workspace.folder());
      return;
    }
    const options = { folder: workspace.folder(), signal, timeoutMs };
    try {
      yield* exports.write({ ...merged.merge, format }, options);
      this.ended.resolve();
    } catch (error) {
      this.ended.reject(error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.reject(new LogvendError("cancelled", "Nobody read the answer to its end"));
    await this.parts.owned[Symbol.asyncDispose]();
  }
}
