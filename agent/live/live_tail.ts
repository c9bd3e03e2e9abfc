/** One tail on this host: the rows for which its condition is true, as many as may go. */
import { LineBudget } from "../../protocol/line_budget.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { TailMessage } from "../../protocol/wire/messages.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { conditionsOver } from "../rules/conditions.ts";
import type { Place } from "../rules/conditions.ts";
import type { StreamTable } from "../store/rows/memory_table.ts";

/** A condition that takes longer over a fraction of a second's lines would hold the host up. */
const LOOK_MAX_MS = 2_000;

/** A longer line is cut: a message holds several. */
const LINE_LENGTH_MAX = 4_096;

const ENGINE_BYTES = 64 * 2 ** 20;

/** What somebody wants to see. */
export interface LiveRequest {
  stream: string;
  /** SQL over the stream's columns. */
  condition: string;
  /** Lines a second at most. */
  rate: number;
}

/** What there is to see since the last time, in the order in which it was read. */
export interface LiveLines {
  lines: TailMessage["lines"];
  /** Lines that match and were too many. */
  leftOut: number;
  /** Lines that nobody looked at: there were too many. */
  unchecked: number;
}

/** Who is told. */
export interface LiveReader {
  tell(lines: LiveLines): void;
  /** It is over: nothing is told any more. */
  fail(error: LogvendError): void;
}

export interface LiveTailOptions {
  request: LiveRequest;
  reader: LiveReader;
  place: Place;
  /** Whether rows may get columns that they do not have yet. */
  isOpen: boolean;
}

/** SQL over the rows of one shape. */
interface Selects {
  /** As JSON. */
  shape: string;
  count: string;
  lines: string;
}

export class LiveTail implements AsyncDisposable {
  private readonly budget: LineBudget;
  private sourceCount = 0;
  private selects: Selects | null = null;
  private table: StreamTable | null = null;

  private constructor(
    private readonly engine: Engine,
    private readonly options: LiveTailOptions,
  ) {
    this.budget = new LineBudget(options.request.rate, () => performance.now());
  }

  /** @throws {LogvendError} bad_sql, for a condition that is none over rows of this shape */
  static async open(options: LiveTailOptions, shape: StreamShape): Promise<LiveTail> {
    const tail = new LiveTail(await Engine.open({ memoryBytes: ENGINE_BYTES }), options);
    try {
      await tail.selectsFor(shape);
      return tail;
    } catch (error) {
      await tail[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Tells of new rows. One call at a time. @throws {LogvendError} when the condition cannot be asked */
  async look(table: StreamTable | null, unchecked: number): Promise<void> {
    const { reader } = this.options;
    const { lines, matching } = table === null
      ? { lines: [], matching: 0 }
      : await this.linesOf(table);
    if (matching + unchecked === 0) return;
    reader.tell({ lines, leftOut: matching - lines.length, unchecked });
  }

  /** Tells that it is over. */
  fail(error: unknown): void {
    const { reader } = this.options;
    reader.fail(
      error instanceof LogvendError ? error : new LogvendError("bad_sql", messageOf(error)),
    );
  }

  private async linesOf(table: StreamTable) {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.engine.interrupt();
    }, LOOK_MAX_MS);
    try {
      const selects = await this.selectsFor(table.shape);
      this.table = table;
      const rowsMax = this.budget.available();
      const { rows } = rowsMax === 0
        ? { rows: [] }
        : await this.engine.compute(selects.lines, { rows_max: rowsMax });
      this.budget.take(rows.length);
      const lines = rows.map(([ts, line]) => ({ ts_us: Number(ts), line: String(line ?? "") }));
      if (lines.length < rowsMax) return { lines, matching: lines.length };
      const counted = await this.engine.compute(selects.count, {});
      return { lines, matching: Number(counted.rows[0]?.[0]) };
    } catch (cause) {
      if (!isLate) throw cause;
      throw new LogvendError("timeout", "The condition takes too long for a tail: simplify it", {
        cause,
      });
    } finally {
      clearTimeout(timer);
      this.table = null;
    }
  }

  private async selectsFor(shape: StreamShape): Promise<Selects> {
    const text = JSON.stringify(shape);
    if (this.selects?.shape === text) return this.selects;
    const { request, place, isOpen } = this.options;
    const schema = streamSchema(shape);
    const source = `${request.stream}_${this.sourceCount++}`;
    const typedChunks = () => this.table?.store.typedChunks() ?? [].values();
    this.engine.addSource(source, { columns: schema.physical, typedChunks });
    const { rows, tests: [test = "false"] } = await conditionsOver([request.condition], {
      table: request.stream,
      schema,
      isOpen,
      isLight: true,
      source,
      place,
    });
    const matching = `FROM ${rows} WHERE ${test}`;
    const line =
      `if(length(line) > ${LINE_LENGTH_MAX}, left(line, ${LINE_LENGTH_MAX}) || '…', line)`;
    return this.selects = {
      shape: text,
      count: `SELECT count(*) ${matching}`,
      lines: `SELECT epoch_us(ts), ${line} ${matching} LIMIT $rows_max`,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}
