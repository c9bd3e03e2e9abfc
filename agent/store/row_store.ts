/** Rows of one table in memory: copies of what came in batches, in chunks that are used again. */
import type { Column } from "../../protocol/messages.ts";
import type { RowSource, TypedChunk } from "../../queries/duckdb/row_source.ts";
import { TextColumn } from "../../queries/duckdb/typed_columns.ts";
import type { RowRange, TypedColumn } from "../../queries/duckdb/typed_columns.ts";
import type { Rows } from "./rows.ts";

type AnyColumns = Readonly<Record<string, TypedColumn>>;

/** SQL reads it as a table with the columns `columns`. */
export class RowStore<Columns extends AnyColumns> implements RowSource {
  /** The first `used` of them hold rows. */
  private readonly chunks: Rows<Columns>[] = [];
  private used = 0;
  rows = 0;

  /** @param newChunk makes an empty chunk, of DuckDB's size for one */
  constructor(
    public columns: readonly Column[],
    private newChunk: () => Rows<Columns>,
  ) {}

  /** Goes on with other columns, as wide or wider: rows that are here are given them too. */
  change(columns: readonly Column[], newChunk: () => Rows<Columns>): void {
    const before = this.chunks.splice(0, this.used);
    this.chunks.length = 0;
    this.columns = columns;
    this.newChunk = newChunk;
    this.clear();
    for (const chunk of before) this.add(chunk, () => {});
  }

  /** Adds one row, which `set` fills. */
  addRow(set: (to: Rows<Columns>, row: number) => void): void {
    const to = this.last();
    set(to, to.count++);
    this.rows++;
  }

  /** The chunk that takes the next row. */
  private last(): Rows<Columns> {
    const chunk = this.chunks[this.used - 1];
    if (chunk !== undefined && !chunk.isFull) return chunk;
    const next = this.chunks[this.used] ?? this.newChunk();
    this.chunks[this.used++] = next;
    next.clear();
    return next;
  }

  /** Copies rows; `added` is told where each stretch of them has come to lie. */
  add(rows: Rows<AnyColumns>, added: (to: Rows<Columns>, from: number) => void): void {
    for (let start = 0; start < rows.count;) {
      const to = this.last();
      const from = to.count;
      const count = Math.min(rows.count - start, to.capacity - from);
      copyRows(rows, { start, count }, to);
      added(to, from);
      start += count;
      this.rows += count;
    }
  }

  /** Forgets all rows. Chunks that they did not need are given back: a burst is over. */
  clear(): void {
    this.chunks.length = Math.min(this.chunks.length, Math.max(1, this.used));
    this.used = 0;
    this.rows = 0;
  }

  *typedChunks(): Generator<TypedChunk> {
    for (const { columns, count } of this.chunks.slice(0, this.used)) {
      yield { columns: this.columns.map(({ name }) => columns[name] ?? null), rows: count };
    }
  }
}

/** Appends a range of rows to a chunk that has room for it. */
function copyRows(from: Rows<AnyColumns>, range: RowRange, to: Rows<AnyColumns>) {
  const texts = Object.values(from.columns).filter((column) => column instanceof TextColumn);
  const { block, added, addedLength } = from.heap;
  const { first, end } = extent(texts, block.length, range);
  // One copy for all texts that lie in the block, which is mostly nothing but they.
  const shift = {
    block: to.heap.addBytes(block.subarray(first, end)) - first,
    added: to.heap.addBytes(added.subarray(0, addedLength)) - block.length,
  };
  for (const [name, column] of Object.entries(to.columns)) {
    const source = from.columns[name];
    if (source === undefined) column.clear(to.count, range.count);
    else column.copy(source, range, to.count, shift);
  }
  to.count += range.count;
}

/** The part of the block that texts lie in. */
function extent(texts: readonly TextColumn[], blockLength: number, { start, count }: RowRange) {
  let first = blockLength;
  let end = 0;
  for (const { start: starts, length: lengths } of texts) {
    for (let row = start; row < start + count; row++) {
      const at = starts[row]!;
      const length = lengths[row]!;
      if (length < 0 || at >= blockLength) continue;
      if (at < first) first = at;
      if (at + length > end) end = at + length;
    }
  }
  return { first: Math.min(first, end), end };
}
