/** What a stream's lines look like, and what may be kept of them. */
import { ACCESS_SHAPE, uniteShapes } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { GeoColumns } from "../geo/geo_columns.ts";
import type { GeoDatabase } from "../geo/geo_database.ts";
import { addressField } from "../geo/geo_shape.ts";
import { createRedactor } from "../rules/redact.ts";
import type { Redactor } from "../rules/redact.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isAccessName, shapeOfFormat } from "../stream_format.ts";
import type { Format } from "../stream_format.ts";
import { AccessFiller } from "./formats/access_filler.ts";
import { EventFiller } from "./formats/events/event_filler.ts";
import { createEventParser, scanGrammar } from "./formats/events/event_parser.ts";
import { Learner } from "./formats/events/learner.ts";
import type { TimeConfig } from "./formats/events/time_rule.ts";
import type { RowFiller } from "./formats/filler.ts";
import { recordRule } from "./records.ts";
import type { RecordRule } from "./records.ts";

/** How the bytes of a stream's files become rows. */
export interface LineForm {
  format: Format;
  /** What the rows of access logs are made of: always the same. */
  access: StreamShape;
  /** Null: access logs, whose columns are known. */
  events: { learner: Learner; time: TimeConfig | null } | null;
  /** Null: lines are kept as they are. */
  redactor: Redactor | null;
  /** Null: every line is a record. */
  records: RecordRule | null;
  /** Null: nobody asks where addresses are. */
  geo: GeoColumns | null;
}

/** Lines as they come, without rules. */
export function plainLines(format: Format): LineForm {
  const events = eventsOf(format);
  return { format, access: ACCESS_SHAPE, events, redactor: null, records: null, geo: null };
}

/**
 * The form that a stream is configured with.
 * @param known what its rows are made of already
 * @param database null: addresses are not looked up
 * @throws {LogvendError} bad_config: no key for a hash
 */
export function lineForm(
  stream: LinesConfig,
  known: StreamShape,
  database: GeoDatabase | null,
): LineForm {
  const { format, time, redact, multiline } = stream;
  const field = addressField(stream);
  return {
    format,
    access: accessShape(known),
    events: eventsOf(format, time, known),
    redactor: createRedactor(redact),
    records: multiline === undefined ? null : recordRule(multiline),
    geo: database === null || field === null ? null : new GeoColumns(database, field),
  };
}

/** Columns of access logs have their own types here, whatever lines of another format made of them. */
function accessShape(known: StreamShape): StreamShape {
  const own = new Set(ACCESS.physical.map(({ name }) => name));
  return { ...known, fields: known.fields.filter(({ name }) => !own.has(name.toLowerCase())) };
}

type LinesConfig = Pick<StreamConfig, "format" | "time" | "redact" | "multiline" | "geo">;

function eventsOf(format: Format, time?: TimeConfig, known?: StreamShape): LineForm["events"] {
  if (isAccessName(format)) return null;
  const shape = shapeOfFormat(format);
  const learner = new Learner(known === undefined ? shape : uniteShapes(known, shape));
  return { learner, time: time ?? null };
}

/** What reads the lines of one file. */
export function fillerOf(form: LineForm, nowMs: () => number): RowFiller {
  const { format, access, events, redactor } = form;
  if (isAccessName(format)) return new AccessFiller(format, redactor, access);
  const { learner, time } = events ?? { learner: new Learner(shapeOfFormat(format)), time: null };
  const options = { format, time, nowMs };
  const parse = createEventParser(options);
  const isJson = format === "json" || format === "docker";
  const grammar = scanGrammar(options);
  return new EventFiller({ parse, learner, redactor, nowMs, isJson, grammar });
}
