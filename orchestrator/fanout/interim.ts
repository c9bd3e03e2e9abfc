/** What the answer would be by now: for who watches while hosts are still at work. */
import type { Column } from "../../protocol/wire/messages.ts";
import { jsonList, jsonPages } from "../../queries/answer/json_rows.ts";
import type { JsonRow } from "../../queries/answer/json_rows.ts";
import type { Merge } from "./merge.ts";

/** The first rows of an answer that lacks hosts. */
export interface Interim {
  columns: readonly Column[];
  rows: JsonRow[];
  answered: number;
  asked: number;
}

export type OnInterim = (interim: Interim) => void;

/** A screen has no more. */
const ROWS_MAX = 40;

/** An answer that is there before this is not preceded by another. */
const EVERY_MS = 1_000;

/** At most this part of the time goes into what nobody may look at. */
const SHARE_MAX = 0.1;

export class Interims {
  private dueMs = performance.now() + EVERY_MS;

  constructor(private readonly merge: Merge, private readonly tell: OnInterim) {}

  /** Tells what there is, if it is time. */
  async look({ answered, asked }: Pick<Interim, "answered" | "asked">): Promise<void> {
    const startMs = performance.now();
    const { engine, plan: { mergeSql, columns }, left } = this.merge;
    if (startMs < this.dueMs || answered === 0 || answered === asked || left !== null) return;
    try {
      const list = jsonList(columns);
      const sql = `SELECT ${list} FROM (${mergeSql}) LIMIT ${ROWS_MAX}`;
      const rows = (await Array.fromAsync(jsonPages(columns, engine.stream(sql, ROWS_MAX)))).flat();
      this.tell({ columns, rows, answered, asked });
    } catch {
      // The rows so far make the SQL fail: the answer itself says so, if the others do not help.
    }
    const tookMs = performance.now() - startMs;
    this.dueMs = performance.now() + Math.max(EVERY_MS, tookMs / SHARE_MAX);
  }
}

/** The batches as they come, and null in the pauses between them: often enough for `look`. */
export async function* withPauses<T>(batches: AsyncGenerator<T>): AsyncGenerator<T | null> {
  let next = batches.next();
  for (;;) {
    next.catch(() => {}); // thrown below, unless nobody waits for it any more
    const pause = Promise.withResolvers<null>();
    const timer = setTimeout(() => pause.resolve(null), EVERY_MS);
    const step = await Promise.race([next, pause.promise]).finally(() => clearTimeout(timer));
    if (step === null) {
      yield null;
      continue;
    }
    if (step.done) return;
    yield step.value;
    next = batches.next();
  }
}
