/** Rows of one table in memory: copies of what came in batches, in chunks that are used again. */
import type { Column } from "../../../protocol/wire/messages.ts";
import type { RowSource, TypedChunk } from "../../../queries/duckdb/row_source.ts";
import { DoubleColumn, TextColumn } from "../../../queries/duckdb/typed_columns.ts";
import type { RowRange, TypedColumn, WideColumn } from "../../../queries/duckdb/typed_columns.ts";
import type { Rows } from "./rows.ts";

type AnyColumns = Readonly<Record<string, TypedColumn>>;
type TimedColumns = AnyColumns & { readonly ts: WideColumn };

/** SQL reads it as a table with the columns `columns`. */
export class RowStore<Columns extends TimedColumns> implements RowSource {
  /** The first `used` of them hold rows. */
  private readonly chunks: Rows<Columns>[] = [];
  private used = 0;
  rows = 0;
  /**
   * Only chunks that may have rows of these times, both inclusive, are shown to SQL: with rows of many
   * hours each hour would be looked for in all of them. Null: all are.
   */
  shown: { minUs: number; maxUs: number } | null = null;

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
      if (!mayHave(columns.ts, count, this.shown)) continue;
      yield { columns: this.columns.map(({ name }) => columns[name] ?? null), rows: count };
    }
  }
}

function mayHave(ts: WideColumn, count: number, shown: RowStore<TimedColumns>["shown"]): boolean {
  if (shown === null) return true;
  for (let row = 0; row < count; row++) {
    const at = ts.number(row);
    if (at >= shown.minUs && at <= shown.maxUs) return true;
  }
  return false;
}

/** Appends a range of rows to a chunk that has room for it. */
function copyRows(from: Rows<AnyColumns>, range: RowRange, to: Rows<AnyColumns>) {
  const texts = Object.values(from.columns).filter((column) => column instanceof TextColumn);
  const { block, added } = from.heap;
  const used = extents(texts, block.length, range);
  // One copy for all texts that lie in the block, which is mostly nothing but they; one for the others.
  const shift = {
    block: to.heap.addBytes(block.subarray(used.block.first, used.block.end)) - used.block.first,
    added: to.heap.addBytes(
      added.subarray(used.added.first - block.length, used.added.end - block.length),
    ) - used.added.first,
  };
  for (const [name, column] of Object.entries(to.columns)) {
    const source = from.columns[name];
    if (source === undefined) column.clear(to.count, range.count);
    else column.copy(source, range, to.count, shift);
  }
  for (const [name, column] of Object.entries(to.columns)) {
    const isWider = column instanceof TextColumn && from.columns[name] instanceof DoubleColumn;
    if (isWider) writeAsInLines(column, to, range.count);
  }
  to.count += range.count;
}

/** `3` and `3.0` are one number, and two texts: where the line is kept, it says which it was. */
function writeAsInLines(column: TextColumn, { columns, count }: Rows<AnyColumns>, added: number) {
  const lines = columns.line_text;
  if (!(lines instanceof TextColumn)) return;
  for (let row = count; row < count + added; row++) {
    const [text, line] = [column.text(row), lines.text(row)];
    if (text === null || line === null || !text.endsWith(".0") || line.includes(text)) continue;
    column.set(row, text.slice(0, -2));
  }
}

/** The parts of the block, and of what lies behind it, that texts are in. */
function extents(texts: readonly TextColumn[], blockLength: number, { start, count }: RowRange) {
  const block = { first: blockLength, end: 0 };
  const added = { first: Infinity, end: 0 };
  for (const { start: starts, length: lengths } of texts) {
    for (let row = start; row < start + count; row++) {
      const at = starts[row]!;
      const length = lengths[row]!;
      if (length < 0) continue;
      const extent = at < blockLength ? block : added;
      if (at < extent.first) extent.first = at;
      if (at + length > extent.end) extent.end = at + length;
    }
  }
  if (block.end === 0) block.first = 0;
  if (added.end === 0) added.first = added.end = blockLength;
  return { block, added };
}
