/** Writes the SQL by which other engines read an archive of access logs: `deno run -A deploy/archive/generate.ts`. */
import { ACCESS, REJECTS, REJECTS_SCHEMA } from "../../protocol/schema/streams.ts";
import { ENGINES, viewSql } from "../../queries/views/views.ts";
import type { EngineName } from "../../queries/views/views.ts";

/** What is to be replaced by one's own. */
const LOCATION = "s3://BUCKET/PREFIX";
const HTTPS_LOCATION = "https://BUCKET.s3.REGION.amazonaws.com/PREFIX";

/** The oldest versions that read data pages V2 with zstd, and delta encodings (README.md has why). */
const VERSIONS: Readonly<Record<EngineName, string>> = {
  duckdb: "DuckDB 1.1",
  clickhouse: "ClickHouse 24.8",
  trino: "Trino 420",
  athena: "Athena engine version 3",
  spark: "Spark 3.3",
};

/** The file of an engine. */
export function archiveSql(engine: EngineName): string {
  const location = engine === "clickhouse" ? HTTPS_LOCATION : LOCATION;
  const streams = [
    { stream: "logs", schema: ACCESS, location },
    { stream: REJECTS, schema: REJECTS_SCHEMA, location },
  ];
  const blanks = engine === "clickhouse" ? "BUCKET, REGION and PREFIX" : "BUCKET and PREFIX";
  return [
    `-- Access logs in a logvend archive, for ${VERSIONS[engine]} or newer. Put in ${blanks}.`,
    `-- Generated; other streams: logvend-agent views --engine ${engine} --location ${location}`,
    ...streams.map((request) => viewSql(engine, request)),
    "",
  ].join("\n");
}

/** Where it lies. */
export function archiveSqlPath(engine: EngineName): URL {
  return new URL(`./${engine}.sql`, import.meta.url);
}

if (import.meta.main) {
  for (const engine of ENGINES) {
    await Deno.writeTextFile(archiveSqlPath(engine), archiveSql(engine));
  }
}
