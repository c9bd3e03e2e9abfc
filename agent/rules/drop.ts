/** Keeps lines that nobody wants out of the store, by SQL conditions; what is left out is counted. */
import type { Column } from "../../protocol/wire/messages.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { TypedChunk } from "../../queries/duckdb/row_source.ts";
import { IntegerColumn } from "../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../queries/duckdb/typed_columns.ts";
import { CHUNK_ROWS } from "../../queries/duckdb/types.ts";
import type {
  Batch,
  BatchSink,
  FormerFiles,
  Gap,
  Generation,
  PackedNotes,
} from "../store/batch.ts";
import type { StreamRows } from "../store/rows/rows.ts";
import { Mutex } from "../store/mutex.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isOpenFormat } from "../stream_format.ts";
import { conditionsOver } from "./conditions.ts";
import type { Place } from "./conditions.ts";

/** A rule as configured. */
export interface DropRule {
  name: string;
  /** SQL over the stream's columns. */
  when: string;
}

/** A sink in front of another that leaves rows out. */
export interface DroppingSink extends BatchSink, AsyncDisposable {
  /** Lines left out so far. */
  readonly droppedCount: number;
}

/** The conditions of one stream. */
interface StreamRules {
  name: string;
  drop: readonly DropRule[];
  /** Whether rows may get columns that they do not have yet. */
  isOpen: boolean;
}

/** The conditions of one stream as SQL over rows of one shape. */
interface Filter {
  shape: StreamShape;
  /** Gives the index of each row to leave out, and the index of its rule: the first that is true. */
  select: string;
}

/**
 * Puts the streams' rules in front of a sink.
 * @throws {LogvendError} bad_sql, for a condition that is none
 */
export async function dropping(
  sink: BatchSink,
  streams: readonly Pick<StreamConfig, "name" | "drop" | "format">[],
  place: Place,
): Promise<DroppingSink> {
  const asked = new Map<string, Asking>();
  const engine = streams.some(({ drop }) => drop.length > 0) ? await Engine.open() : null;
  for (const { name, drop, format } of streams) {
    if (engine === null || drop.length === 0) continue;
    const asking = new Asking(engine, { name, drop, isOpen: isOpenFormat(format) }, place);
    await asking.filterFor(sink.shape(name));
    asked.set(name, asking);
  }
  return new RuledSink(sink, asked, engine);
}

/** Asks SQL about the rows of a batch of one stream. */
class Asking {
  private readonly indices = new IntegerColumn(
    Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i),
  );
  private filter: Filter | null = null;
  private sourceCount = 0;
  private rows: StreamRows | null = null;

  constructor(
    private readonly engine: Engine,
    private readonly rules: StreamRules,
    private readonly place: Place,
  ) {
    this.indices.isNull.fill(0);
  }

  /** By the index of a row to leave out, the name of its rule. One call at a time. */
  async dropped({ rows, shape }: Batch): Promise<Map<number, string>> {
    const { select } = await this.filterFor(shape);
    this.rows = rows;
    const found = await this.engine.read(select);
    this.rows = null;
    const { drop } = this.rules;
    return new Map(
      found.rows.map(([index, rule]) => [Number(index), drop[Number(rule)]?.name ?? ""]),
    );
  }

  /** @throws {LogvendError} bad_sql, for a condition that is none */
  async filterFor(shape: StreamShape): Promise<Filter> {
    if (this.filter?.shape === shape) return this.filter;
    const schema = streamSchema(shape);
    const columns = [{ name: "row_index", type: "INTEGER" }, ...schema.physical];
    const { name: table, drop, isOpen } = this.rules;
    const source = `${table}_${this.sourceCount++}`;
    const chunks = () => this.chunks(columns);
    this.engine.addSource(source, { columns, typedChunks: chunks });
    const { rows, tests } = await conditionsOver(drop.map(({ when }) => when), {
      table,
      schema,
      isOpen,
      source,
      place: this.place,
      index: "row_index",
    });
    const cases = tests.map((test, i) => `WHEN ${test} THEN ${i}`);
    const select = `SELECT row_index, CASE ${cases.join(" ")} END AS rule_index
      FROM ${rows} WHERE rule_index IS NOT NULL`;
    return this.filter = { shape, select };
  }

  private *chunks(columns: readonly Column[]): Generator<TypedChunk> {
    if (this.rows === null) return;
    const typed = new Map<string, TypedColumn>(Object.entries(this.rows.columns));
    typed.set("row_index", this.indices);
    yield { columns: columns.map(({ name }) => typed.get(name) ?? null), rows: this.rows.count };
  }
}

class RuledSink implements DroppingSink {
  droppedCount = 0;
  /** By generation. */
  private readonly streams = new Map<string, string>();
  private readonly mutex = new Mutex();

  constructor(
    private readonly sink: BatchSink,
    /** By stream. */
    private readonly asked: ReadonlyMap<string, Asking>,
    private readonly engine: Engine | null,
  ) {}

  generations(stream: string): Generation[] {
    const generations = this.sink.generations(stream);
    for (const { id } of generations) this.streams.set(id, stream);
    return generations;
  }

  get former(): FormerFiles | undefined {
    return this.sink.former;
  }

  get packed(): PackedNotes | undefined {
    return this.sink.packed;
  }

  shape(stream: string): StreamShape {
    return this.sink.shape(stream);
  }

  putGeneration(generation: Generation) {
    this.streams.set(generation.id, generation.stream);
    this.sink.putGeneration(generation);
  }

  addGap(gap: Gap) {
    this.sink.addGap(gap);
  }

  async append(batch: Batch): Promise<void> {
    const asking = this.asked.get(this.streams.get(batch.generation) ?? "");
    if (asking === undefined || batch.rows.count === 0) {
      await this.sink.append(batch);
      return;
    }
    const dropped = await this.mutex.run(() => asking.dropped(batch));
    await this.sink.append(dropped.size === 0 ? batch : without(batch, dropped));
    this.droppedCount += dropped.size;
  }

  async flush(): Promise<void> {
    await this.sink.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine?.[Symbol.asyncDispose]();
  }
}

/** The batch without some rows: they are taken out of its own columns. */
function without(batch: Batch, dropped: ReadonlyMap<number, string>): Batch {
  const { ts, line_length } = batch.rows.columns;
  const before = batch.dropped;
  const of = [...dropped.keys()];
  const counted = {
    ts: [...before.ts, ...of.map((row) => ts.value(row) ?? 0n)],
    rule: [...before.rule, ...dropped.values()],
    line_length: [...before.line_length, ...of.map((row) => line_length.values[row] ?? 0)],
  };
  batch.rows.keep((row) => !dropped.has(row));
  return { ...batch, dropped: counted };
}
