/** What is wrong with the rules of streams that no schema can tell: SQL, keys that are elsewhere. */
import type { ConfigProblem } from "../../protocol/config/config_file.ts";
import { messageOf } from "../../protocol/errors.ts";
import { admitPredicate } from "../../queries/predicate.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { shapeOfStream } from "../geo/geo_shape.ts";
import type { GeoConfig } from "../geo/geo_shape.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isOpenFormat } from "../stream_format.ts";
import { secretOf } from "./redact.ts";

/** Tries every condition and every key. */
export async function ruleProblems(
  { geo, streams }: Pick<GeoConfig, "geo"> & { streams: readonly StreamConfig[] },
): Promise<ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  for (const [i, stream] of streams.entries()) {
    const { name: table, format, redact, drop } = stream;
    const columns = streamSchema(shapeOfStream(stream, { geo })).logical;
    for (const [at, { key }] of redact.entries()) {
      const wanted = key === undefined ? null : keyProblem(() => secretOf(key));
      const path = ["streams", i, "redact", at, "key"];
      if (wanted !== null) problems.push({ path, found: key, wanted });
    }
    for (const [at, { when }] of drop.entries()) {
      const reason = await admitPredicate({
        condition: when,
        table,
        columns,
        isOpen: isOpenFormat(format),
        now: null,
      })
        .then(() => null, messageOf);
      const path = ["streams", i, "drop", at, "when"];
      const wanted = `a condition over the columns of ${table}: ${reason?.replaceAll(/\s+/g, " ")}`;
      if (reason !== null) problems.push({ path, found: when, wanted });
    }
  }
  return problems;
}

function keyProblem(read: () => Uint8Array): string | null {
  try {
    read();
    return null;
  } catch (error) {
    return `a key that can be read: ${messageOf(error)}`;
  }
}
