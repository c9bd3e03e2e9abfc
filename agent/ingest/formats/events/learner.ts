/** Learns what the rows of a stream are made of while its lines are read: columns and layouts. */
import { layoutText } from "../../../../protocol/schema/layout.ts";
import type { LayoutPiece } from "../../../../protocol/schema/layout.ts";
import type { Column } from "../../../../protocol/wire/messages.ts";
import { FIELDS_MAX, widest } from "../../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../../../protocol/schema/streams.ts";
import type { Field } from "./event.ts";

/** Lines of more forms are kept whole. */
const LAYOUTS_MAX = 64;
const LAYOUT_LENGTH_MAX = 8_192;

/** Forms that were seen once; a second line makes one a layout. With more they are forgotten. */
const CANDIDATES_MAX = 1_000;

/** One for all files of a stream. */
export class Learner {
  private readonly candidates = new Set<string>();
  private readonly layouts: Set<string>;
  private types: ReadonlyMap<string, Column>;
  private physicalColumns: readonly Column[];

  /** @param known what rows have already; a new object takes its place when there is more */
  constructor(private known: StreamShape) {
    this.layouts = new Set(known.layouts);
    this.physicalColumns = streamSchema(known).physical;
    this.types = byName(this.physicalColumns);
  }

  get shape(): StreamShape {
    return this.known;
  }

  /** The same array for as long as nothing changes. */
  get physical(): readonly Column[] {
    return this.physicalColumns;
  }

  /** The column that holds a field; undefined: there is none. */
  columnOf({ name }: Pick<Field, "name">): Column | undefined {
    return this.types.get(name.toLowerCase());
  }

  /** Makes room for fields: new columns, wider ones. Beyond the limit there is none. */
  learn(fields: readonly Field[]): void {
    for (const field of fields) {
      const column = this.columnOf(field);
      if (column === undefined) {
        if (this.known.fields.length < FIELDS_MAX) this.put(field.name, field.type);
      } else if (column.type !== field.type) {
        const type = widest(column.type, field.type);
        if (type !== column.type) this.put(column.name, type);
      }
    }
  }

  /** The layout of these pieces as it is stored; null: lines like this are kept whole. */
  layoutOf(pieces: readonly LayoutPiece[]): string | null {
    const text = layoutText(pieces);
    if (this.layouts.has(text)) return text;
    if (this.layouts.size >= LAYOUTS_MAX || text.length > LAYOUT_LENGTH_MAX) return null;
    if (!this.candidates.delete(text)) {
      if (this.candidates.size === CANDIDATES_MAX) this.candidates.clear();
      this.candidates.add(text);
      return null;
    }
    this.layouts.add(text);
    this.known = { ...this.known, layouts: [...this.layouts] };
    return text;
  }

  private put(name: string, type: string) {
    const { fields } = this.known;
    const isKnown = fields.some((field) => field.name === name);
    this.known = {
      ...this.known,
      fields: isKnown
        ? fields.map((field) => field.name === name ? { name, type } : field)
        : [...fields, { name, type }],
    };
    this.physicalColumns = streamSchema(this.known).physical;
    this.types = byName(this.physicalColumns);
  }
}

function byName(columns: readonly Column[]): Map<string, Column> {
  return new Map(columns.map((column) => [column.name.toLowerCase(), column]));
}
