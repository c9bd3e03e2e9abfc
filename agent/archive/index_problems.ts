/** Which columns of a stream can be indexed in the archive's catalog, and what is wrong with others. */
import type { ConfigProblem } from "../../protocol/config/config_file.ts";
import { nearMiss } from "../../protocol/config/near_miss.ts";
import { EMPTY_SHAPE } from "../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import type { AgentConfig } from "../config.ts";
import { shapeOfStream } from "../geo/geo_shape.ts";
import { isOpenFormat } from "../stream_format.ts";

type IndexedConfig = Pick<AgentConfig, "geo" | "streams" | "archive">;

/** Columns that there are not, or that hold no texts; an index without an archive. */
export function indexProblems({ geo, streams, archive }: IndexedConfig): ConfigProblem[] {
  const { physical, logical } = streamSchema(EMPTY_SHAPE);
  const ofAll = new Set([...physical, ...logical].map(({ name }) => name));
  return streams.flatMap((stream, i): ConfigProblem[] => {
    const path = ["streams", i, "index"];
    if (stream.index.length > 0 && archive === undefined) {
      const wanted =
        "archive too, whose catalog has the index: archive: { url: s3://BUCKET/PREFIX }";
      return [{ path, found: stream.index, wanted }];
    }
    const texts = streamSchema(shapeOfStream(stream, { geo })).physical
      .filter(({ name, type }) => type === "VARCHAR" && !ofAll.has(name)).map(({ name }) => name);
    const isKnown = (name: string) =>
      isOpenFormat(stream.format)
        ? !ofAll.has(name.toLowerCase())
        : texts.some((text) => text.toLowerCase() === name.toLowerCase());
    return stream.index.flatMap((found, at) => {
      if (isKnown(found)) return [];
      const near = nearMiss(found, texts);
      const hint = near === null ? "" : `. Did you mean ${near}?`;
      const wanted = isOpenFormat(stream.format)
        ? "a column of the stream's own that holds texts"
        : `a column of texts: ${texts.join(", ")}${hint}`;
      return [{ path: [...path, at], found, wanted }];
    });
  });
}
