/** Operators' conditions over rows in memory, as SQL that never fails over a value. */
import type { Column } from "../../protocol/wire/messages.ts";
import { uniteColumns } from "../../protocol/schema/stream_shape.ts";
import type { StreamSchema } from "../../protocol/schema/streams.ts";
import { identifier, literal, logicalColumns } from "../../protocol/schema/table_sql.ts";
import { admitPredicate } from "../../queries/predicate.ts";

/** Where rows come from, as SQL sees it. */
export interface Place {
  host: string;
  region: string;
}

/** Rows that conditions are about. */
export interface ConditionRows {
  /** As conditions name it. */
  table: string;
  schema: StreamSchema;
  /** Whether rows may get columns that they do not have yet. */
  isOpen: boolean;
  /** The function that gives the physical rows. */
  source: string;
  place: Place;
  /** Whether they are somebody else's, and have to be light. @default false */
  isLight?: boolean;
  /** A column of the function that is to stay beside the table's own. */
  index?: string;
}

/** Conditions as parts of a SELECT. */
export interface Conditions {
  /** For FROM: the rows as the table that users see. */
  rows: string;
  /** One a condition: true or false. */
  tests: string[];
}

/** @throws {LogvendError} bad_sql, for a condition that is none */
export async function conditionsOver(
  conditions: readonly string[],
  { table, schema, isOpen, source, place, index, isLight = false }: ConditionRows,
): Promise<Conditions> {
  const tests: string[] = [];
  const more: Column[] = [];
  for (const condition of conditions) {
    const request = { condition, table, columns: schema.logical, isOpen, isLight, now: null };
    const { sql, unknown } = await admitPredicate(request);
    more.push(...unknown);
    // A value that cannot be computed is not true.
    tests.push(`coalesce(TRY((${sql})::BOOLEAN), false)`);
  }
  const columns = [...schema.logical, ...uniteColumns([more])];
  const logical = logicalColumns(schema, place.region, columns);
  const physical = `SELECT * REPLACE (${literal(place.host)} AS host) FROM ${identifier(source)}()`;
  const shown = index === undefined ? logical : `${identifier(index)}, ${logical}`;
  return { rows: `(SELECT ${shown} FROM (${physical})) AS ${identifier(table)}`, tests };
}
