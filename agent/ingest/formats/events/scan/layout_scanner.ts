/**
 * Reads lines as bytes by the layouts that are known, for speed: for these it gives the very row
 * that the parser and EventFiller do; any other line it leaves to them.
 */
import { layoutPieces } from "../../../../../protocol/schema/layout.ts";
import {
  DoubleColumn,
  IntegerColumn,
  TextColumn,
  WideColumn,
} from "../../../../../queries/duckdb/typed_columns.ts";
import type { TypedColumn } from "../../../../../queries/duckdb/typed_columns.ts";
import { ARRIVAL } from "../../../../store/rows/rows.ts";
import type { StreamRows } from "../../../../store/rows/rows.ts";
import type { RowScanner } from "../../filler.ts";
import type { Learner } from "../learner.ts";
import { INTEGER_MAX } from "../log_format.ts";
import { LineMatcher } from "./line_matcher.ts";
import type { ScanGrammar, Template, TemplateValue } from "./template.ts";

const LINE_END = 0x0a;
/** Its first byte. */
const BYTE_ORDER_MARK = 0xef;

/** A template with the columns of the rows that are being filled. */
interface Ready extends Template {
  columns: TypedColumn[];
  hasTime: boolean;
}

/** The templates of all layouts. */
interface Templates {
  layouts: readonly string[];
  /** Those that match often come to stand first. */
  ready: Ready[];
}

export interface LayoutScannerOptions {
  learner: Learner;
  grammar: ScanGrammar;
  nowMs: () => number;
}

export class LayoutScanner implements RowScanner {
  private readonly matcher: LineMatcher;
  /** By the rows that they fill: there may be thousands of scanners, and none holds any rows. */
  private readonly made = new WeakMap<StreamRows, Templates>();

  constructor(private readonly options: LayoutScannerOptions) {
    this.matcher = new LineMatcher(options.grammar);
  }

  scan(rows: StreamRows, start: number, end: number, offset: number): number {
    const ready = this.readyTemplates(rows);
    const { block } = rows.heap;
    let at = start;
    while (at < end && !rows.isFull) {
      const lineEnd = block.indexOf(LINE_END, at);
      if (!this.line(rows, ready, at, lineEnd)) break;
      const { columns, count } = rows;
      columns.line_offset.setNumber(count, offset + at);
      columns.line_length.setHidden(count, lineEnd + 1 - at);
      rows.count++;
      at = lineEnd + 1;
    }
    return at;
  }

  /** Layouts are learned, and rows taken, while others are filled. */
  private readyTemplates(rows: StreamRows): Ready[] {
    const { shape: { layouts } } = this.options.learner;
    const made = this.made.get(rows);
    if (made?.layouts === layouts) return made.ready;
    const ready = layouts.flatMap((layout) => this.readyFor(layout, rows));
    this.made.set(rows, { layouts, ready });
    return ready;
  }

  private readyFor(layout: string, { columns }: StreamRows): Ready[] {
    const { grammar } = this.options;
    const template = grammar.templateOf(layout, layoutPieces(layout) ?? []);
    const found = template?.values.map(({ column }) => columns[column]);
    if (!template || !found || found.some((column) => column === undefined)) return [];
    if (template.values.some((value, i) => !takes(found[i]!, value))) return [];
    const hasTime = template.values.some(({ form }) => form === "time");
    return [{ ...template, columns: found as TypedColumn[], hasTime }]; // all are there
  }

  /** Fills the row behind the last one; false: the line is the parser's. */
  private line(rows: StreamRows, ready: Ready[], start: number, end: number): boolean {
    const { matcher } = this;
    const { block } = rows.heap;
    // The parser takes zeros and byte order marks off.
    if (block[start] === 0 || block[start] === BYTE_ORDER_MARK) return false;
    for (let i = 0; i < ready.length; i++) {
      const template = ready[i]!;
      if (!matcher.matches(template, block, start, end)) continue;
      if (!this.fits(template)) return false;
      this.fill(rows, template);
      if (i > 0) {
        ready[i] = ready[i - 1]!;
        ready[i - 1] = template;
      }
      return true;
    }
    return false;
  }

  /** Whether its whole numbers are in the range of their columns. */
  private fits({ columns }: Ready): boolean {
    for (let i = 0; i < columns.length; i++) {
      if (columns[i] instanceof IntegerColumn && Math.abs(this.matcher.numbers[i]!) > INTEGER_MAX) {
        return false;
      }
    }
    return true;
  }

  private fill(rows: StreamRows, { layout, layoutLength, values, columns, hasTime }: Ready) {
    const { columns: own, count, heap } = rows;
    if (!hasTime) this.setArrival(rows);
    for (let i = 0; i < values.length; i++) this.set(rows, values[i]!, columns[i]!, i);
    own.layout.setStretch(count, heap.constant(layout), layoutLength);
  }

  private set(rows: StreamRows, { form }: TemplateValue, column: TypedColumn, i: number) {
    const { matcher } = this;
    const { count: row } = rows;
    const start = matcher.starts[i]!;
    const length = matcher.ends[i]! - start;
    if (form === "time") {
      this.setTime(rows);
      if (column instanceof TextColumn) column.setStretch(row, start, length);
    } else if (form === "request") this.setRequest(rows, i);
    else if (form === "escaped") (column as TextColumn).set(row, matcher.texts[i]!);
    else if (column instanceof TextColumn) column.setStretch(row, start, length);
    else if (column instanceof WideColumn) setWide(column, row, matcher.numbers[i]!);
    else column.set(row, matcher.numbers[i]!);
  }

  private setTime({ columns, count }: StreamRows) {
    columns.ts.setNumber(count, this.matcher.time.us);
    columns.time_zone_min.set(count, this.matcher.time.zoneMin);
  }

  private setArrival({ columns, count }: StreamRows) {
    columns.ts.setNumber(count, this.options.nowMs() * 1_000);
    columns.time_zone_min.set(count, 0);
    const flag = columns[ARRIVAL];
    if (flag instanceof IntegerColumn) flag.set(count, 1);
  }

  private setRequest({ columns, count }: StreamRows, i: number) {
    const { starts, ends, request: { methodEnd, targetEnd } } = this.matcher;
    const { http_method, request, http_version } = columns as Record<string, TypedColumn>;
    const start = starts[i]!;
    (http_method as TextColumn).setStretch(count, start, methodEnd - start);
    (request as TextColumn).setStretch(count, methodEnd + 1, targetEnd - methodEnd - 1);
    (http_version as TextColumn).setStretch(count, targetEnd + 1, ends[i]! - targetEnd - 1);
  }
}

/** Whether a column holds values of a form: columns may have become wider than their layouts. */
function takes(column: TypedColumn, { form, timeKind }: TemplateValue): boolean {
  const isText = column instanceof TextColumn;
  switch (form) {
    case "text":
    case "word":
    case "escaped":
    case "raw":
    case "request":
      return isText;
    case "time":
      return timeKind === null ? isText : column instanceof WideColumn;
    case "decimal":
    case "fixed":
      return column instanceof DoubleColumn;
    case "flag":
      return column instanceof IntegerColumn && column.values instanceof Int8Array;
    default:
      return !isText;
  }
}

function setWide(column: WideColumn, row: number, value: number) {
  if (value >= 0) column.setNumber(row, value);
  else column.set(row, BigInt(value));
}
