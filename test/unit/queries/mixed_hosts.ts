/** Hosts whose lines have other columns, or of other types: each has Parquet files of its own shape. */
import { join } from "node:path";
import type { Column } from "../../../protocol/wire/messages.ts";
import { uniteColumns } from "../../../protocol/schema/stream_shape.ts";
import { inShownOrder, streamSchema } from "../../../protocol/schema/streams.ts";
import { identifier, literal, tableSelect } from "../../../protocol/schema/table_sql.ts";
import { accessTables } from "../../harness/tables.ts";
import { HOSTS } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";

/** A column as a host has it: its type, and the values as SQL over the samples' columns. */
interface OwnColumn extends Column {
  sql: string;
}

/** What every host has. */
const COMMON: readonly OwnColumn[] = [
  own("remote_addr", "VARCHAR"),
  own("remote_user", "VARCHAR"),
  own("http_method", "VARCHAR"),
  own("request", "VARCHAR"),
  own("status", "BIGINT"),
  own("body_bytes_sent", "BIGINT"),
  own("http_referer", "VARCHAR"),
  own("http_user_agent", "VARCHAR"),
  own("request_time", "DOUBLE"),
];

/** By host: what it has instead; SQL "": not at all. */
const DIFFERENT: readonly (readonly OwnColumn[])[] = [
  [own("http_referer", "VARCHAR", ""), own("request_time", "BIGINT", "floor(request_time)")],
  [own("status", "DOUBLE", "status + 0.25"), own("remote_user", "BIGINT", "length(remote_user)")],
  [own("body_bytes_sent", "DOUBLE", ""), own("HTTP_METHOD", "BOOLEAN", "http_method = 'GET'")],
  [own("request_time", "DOUBLE", ""), own("request", "DOUBLE", "length(request) / 2")],
  [own("zone", "VARCHAR", "'here'"), own("body_bytes_sent", "DOUBLE")],
];

function own(name: string, type: string, sql = name): OwnColumn {
  return { name, type, sql };
}

function columnsOfHost(host: number): OwnColumn[] {
  const different = new Map(DIFFERENT[host]?.map((one) => [one.name.toLowerCase(), one]));
  const common = COMMON.map((one) => different.get(one.name) ?? one);
  const more = [...different.values()].filter(({ name }) =>
    !COMMON.some((one) => one.name === name.toLowerCase())
  );
  return [...common, ...more].filter(({ sql }) => sql !== "");
}

function schemaOfHost(host: number) {
  const fields = columnsOfHost(host).map(({ name, type }) => ({ name, type }));
  return streamSchema({ access: false, fields, layouts: [] });
}

/** The table as the fleet knows it. */
const FLEET_COLUMNS = inShownOrder(
  "logs",
  uniteColumns(Array.from({ length: HOSTS }, (_, host) => schemaOfHost(host).logical)),
);

/** Deals the samples' rows `to` hosts that have them in their own way, in two files each. */
export async function dealMixed(fleet: Fleet, samples: string, to: string): Promise<void> {
  const { engine, folder } = fleet;
  fleet.known = accessTables("logs").map((table) =>
    table.name === "logs" ? { name: "logs", columns: FLEET_COLUMNS } : table
  );
  await fleet.deal(to, ["rejects"]);
  const wholes: string[] = [];
  for (let host = 0; host < HOSTS; host++) {
    const columns = columnsOfHost(host);
    const dealt =
      `(SELECT *, row_number() OVER () % 2 AS half FROM (${samples}) WHERE (${to}) = ${host})`;
    const values = columns.map(({ name, type, sql }) => `(${sql})::${type} AS ${identifier(name)}`);
    const files = ["0", "1"].map((half) => {
      return { half, file: join(folder, `${crypto.randomUUID()}.parquet`) };
    });
    for (const { half, file } of files) {
      await engine.run(
        `COPY (SELECT ts, ${values}, 0::SMALLINT AS time_zone_min, NULL::VARCHAR AS layout,
            line AS line_text, NULL::BLOB AS line_raw, host, 'g' AS generation,
            0::BIGINT AS line_offset, 0::INTEGER AS line_length
          FROM ${dealt} WHERE half = ${half}) TO ${literal(file)} (FORMAT parquet)`,
      );
    }
    const view = tableSelect(schemaOfHost(host), {
      files: files.map(({ file }) => file),
      region: "eu-west-1",
      since: null,
      until: null,
      columns: FLEET_COLUMNS,
    });
    await engine.run(`CREATE OR REPLACE VIEW "host-${host}".logs AS ${view}`);
    wholes.push(`SELECT ${wholeColumns(columns)} FROM ${dealt}`);
  }
  await fleet.replaceWhole("logs", FLEET_COLUMNS, wholes.join(" UNION ALL "));
}

/** What one DuckDB would have of a host's rows. */
function wholeColumns(columns: readonly OwnColumn[]): string {
  const known = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  return FLEET_COLUMNS.map(({ name, type }) => {
    const ownColumn = known.get(name.toLowerCase());
    const isGiven = ["ts", "host", "region", "line", "line_bytes"].includes(name);
    const value = ownColumn !== undefined
      ? `(${ownColumn.sql})::${ownColumn.type}`
      : isGiven
      ? name
      : "NULL";
    return `(${value})::${type} AS ${identifier(name)}`;
  }).join(", ");
}
