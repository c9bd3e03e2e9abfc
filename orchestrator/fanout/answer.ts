/** What the fleet says to one question: the merged rows, with their coverage. */
import { join } from "node:path";
import type { Column } from "../../protocol/messages.ts";
import { formatRows } from "../../queries/answer/format.ts";
import type { RowFormat } from "../../queries/answer/format.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import type { Plan } from "../../queries/plan/planner.ts";
import type { Coverage } from "./coverage.ts";
import { ANSWER_TABLE } from "./merge.ts";

/** A short name for people, of the id that the operator signed: `q-7f3a2c`. */
export function queryIdOf(claimsId: string): string {
  return `q-${claimsId.slice(0, 6)}`;
}

/** A folder for large results, made at first use: small answers touch no disk. */
export class Scratch implements AsyncDisposable {
  readonly path: string;
  private made = false;

  constructor(folder: string, name: string) {
    this.path = join(folder, name);
  }

  /** What the merging engine may write: the formatted answer. */
  get writablePaths(): string[] {
    return [];
  }

  make(): string {
    if (!this.made) Deno.mkdirSync(this.path, { recursive: true, mode: 0o700 });
    this.made = true;
    return this.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.made) await Deno.remove(this.path, { recursive: true });
  }
}

export interface AnswerFacts {
  queryId: string;
  mode: Plan["mode"];
  range: Plan["range"];
  columns: Column[];
  coverage: Coverage;
  elapsedMs: number;
}

/** Owns the engine that holds the rows. */
export class Answer implements AsyncDisposable {
  constructor(
    readonly facts: AnswerFacts,
    private readonly engine: Engine,
    private readonly scratch: Scratch,
  ) {}

  /** True when every asked host is in it. */
  get complete(): boolean {
    return this.facts.coverage.missing.length === 0;
  }

  rows(format: RowFormat): AsyncIterable<Uint8Array<ArrayBuffer>> {
    return formatRows(this.engine, ANSWER_TABLE, format, this.scratch.make());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await this.scratch[Symbol.asyncDispose]();
  }
}
