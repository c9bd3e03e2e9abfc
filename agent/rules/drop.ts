/** Keeps lines that nobody wants out of the store, by SQL conditions; what is left out is counted. */
import { ACCESS, literal, logicalColumns } from "../../protocol/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import type { RowSource, TypedChunk } from "../../queries/duckdb/row_source.ts";
import { IntegerColumn } from "../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../queries/duckdb/typed_columns.ts";
import { CHUNK_ROWS } from "../../queries/duckdb/types.ts";
import { admitPredicate } from "../../queries/predicate.ts";
import type { Batch, BatchSink, Gap, Generation } from "../store/batch.ts";
import type { AccessRows } from "../store/rows.ts";
import { Mutex } from "../store/mutex.ts";
import type { StreamConfig } from "../stream_config.ts";

/** A rule as configured. */
export interface DropRule {
  name: string;
  /** SQL over the stream's columns. */
  when: string;
}

/** Where rows come from, as SQL sees it. */
export interface Place {
  host: string;
  region: string;
}

/** A sink in front of another that leaves rows out. */
export interface DroppingSink extends BatchSink, AsyncDisposable {
  /** Lines left out so far. */
  readonly droppedCount: number;
}

/** The conditions of one stream, ready to be asked. */
interface Filter {
  rules: readonly string[];
  /** Gives the index of each row to leave out, and the index of its rule: the first that is true. */
  select: string;
}

/**
 * Puts the streams' rules in front of a sink.
 * @throws {LogvendError} bad_sql, for a condition that is none
 */
export async function dropping(
  sink: BatchSink,
  streams: readonly Pick<StreamConfig, "name" | "drop">[],
  place: Place,
): Promise<DroppingSink> {
  const filters = new Map<string, Filter>();
  for (const { name, drop } of streams) {
    if (drop.length > 0) filters.set(name, await filterOf(name, drop, place));
  }
  return new RuledSink(sink, filters, filters.size === 0 ? null : new Asking(await Engine.open()));
}

const BATCH = "batch_rows";

/** Asks SQL about the rows of a batch. */
class Asking implements RowSource {
  readonly columns = [{ name: "row_index", type: "INTEGER" }, ...ACCESS.physical];
  private readonly indices = new IntegerColumn(
    Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i),
  );
  private rows: AccessRows | null = null;

  constructor(readonly engine: Engine) {
    this.indices.isNull.fill(0);
    engine.addSource(BATCH, this);
  }

  /** By the index of a row to leave out, the name of its rule. One call at a time. */
  async dropped({ select, rules }: Filter, { rows }: Batch): Promise<Map<number, string>> {
    this.rows = rows;
    const found = await this.engine.read(select);
    this.rows = null;
    return new Map(
      found.rows.map(([index, rule]) => [Number(index), rules[Number(rule)] ?? ""]),
    );
  }

  *typedChunks(): Generator<TypedChunk> {
    if (this.rows === null) return;
    const columns = new Map<string, TypedColumn>(Object.entries(this.rows.columns));
    columns.set("row_index", this.indices);
    yield {
      columns: this.columns.map(({ name }) => columns.get(name) ?? null),
      rows: this.rows.count,
    };
  }
}

class RuledSink implements DroppingSink {
  droppedCount = 0;
  /** By generation. */
  private readonly streams = new Map<string, string>();
  private readonly mutex = new Mutex();

  constructor(
    private readonly sink: BatchSink,
    private readonly filters: ReadonlyMap<string, Filter>,
    private readonly asking: Asking | null,
  ) {}

  generations(stream: string): Generation[] {
    const generations = this.sink.generations(stream);
    for (const { id } of generations) this.streams.set(id, stream);
    return generations;
  }

  putGeneration(generation: Generation) {
    this.streams.set(generation.id, generation.stream);
    this.sink.putGeneration(generation);
  }

  addGap(gap: Gap) {
    this.sink.addGap(gap);
  }

  async append(batch: Batch): Promise<void> {
    const { asking } = this;
    const filter = this.filters.get(this.streams.get(batch.generation) ?? "");
    if (asking === null || filter === undefined || batch.rows.count === 0) {
      await this.sink.append(batch);
      return;
    }
    const dropped = await this.mutex.run(() => asking.dropped(filter, batch));
    await this.sink.append(dropped.size === 0 ? batch : without(batch, dropped));
    this.droppedCount += dropped.size;
  }

  async flush(): Promise<void> {
    await this.sink.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.asking?.engine[Symbol.asyncDispose]();
  }
}

async function filterOf(
  stream: string,
  rules: readonly DropRule[],
  { host, region }: Place,
): Promise<Filter> {
  const cases: string[] = [];
  for (const [i, { when }] of rules.entries()) {
    const condition = await admitPredicate({ condition: when, table: stream, now: null });
    // A value that cannot be computed is not true: the line is kept.
    cases.push(`WHEN coalesce(TRY((${condition})::BOOLEAN), false) THEN ${i}`);
  }
  const rows = `SELECT * REPLACE (${literal(host)} AS host) FROM ${BATCH}()`;
  return {
    rules: rules.map(({ name }) => name),
    select: `SELECT row_index, CASE ${cases.join(" ")} END AS rule_index
      FROM (SELECT row_index, ${logicalColumns(stream, region)} FROM (${rows}))
      WHERE rule_index IS NOT NULL`,
  };
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
