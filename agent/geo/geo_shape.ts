/** Which streams say where their addresses are, in which columns, and what is wrong with wanting it. */
import type { ConfigProblem } from "../../protocol/config/config_file.ts";
import { EMPTY_SHAPE } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isOpenFormat, shapeOfFormat } from "../stream_format.ts";
import { GEO_COLUMNS } from "./geo_names.ts";

/** As of access logs. */
const ADDRESS = "remote_addr";

/** The part of a configuration that this is about. */
export interface GeoConfig {
  geo?: { database: string } | undefined;
  streams: readonly Pick<StreamConfig, "format" | "geo">[];
}

/** The column whose addresses are looked up when there is a database; null: none. */
export function addressField({ format, geo }: Pick<StreamConfig, "format" | "geo">): string | null {
  return geo?.field ?? (isOpenFormat(format) ? null : ADDRESS);
}

/** What a stream's rows have before any is read. */
export function shapeOfStream(
  stream: Pick<StreamConfig, "format" | "geo">,
  { geo }: Pick<GeoConfig, "geo">,
): StreamShape {
  const shape = shapeOfFormat(stream.format);
  if (geo === undefined || addressField(stream) === null) return shape;
  return { ...shape, fields: [...shape.fields, ...GEO_COLUMNS] };
}

/** A field that cannot be one, a database that nobody asks or that is not there to be asked. */
export function geoProblems({ geo, streams }: GeoConfig): ConfigProblem[] {
  const problems = streams.flatMap((stream, i): ConfigProblem[] => {
    if (stream.geo === undefined) return [];
    const path = ["streams", i, "geo"];
    if (geo === undefined) {
      const wanted = "geo.database too, at the top of the file: geo: { database: FILE.mmdb }";
      return [{ path, found: stream.geo, wanted }];
    }
    const { field } = stream.geo;
    const names = isOpenFormat(stream.format) ? [field] : textColumns(stream.format);
    if (names.includes(field)) return [];
    return [{ path: [...path, "field"], found: field, wanted: names.join(", ") }];
  });
  if (geo === undefined || streams.some((stream) => addressField(stream) !== null)) return problems;
  const wanted = "a stream with geo: { field: COLUMN }: none of these has remote_addr by itself";
  return [...problems, { path: ["geo"], found: geo, wanted }];
}

/** Those that a line can fill, of a format whose columns are known. */
function textColumns(format: StreamConfig["format"]): string[] {
  const ofAll = new Set(streamSchema(EMPTY_SHAPE).physical.map(({ name }) => name));
  return streamSchema(shapeOfFormat(format)).physical
    .filter(({ name, type }) => type === "VARCHAR" && !ofAll.has(name)).map(({ name }) => name);
}
