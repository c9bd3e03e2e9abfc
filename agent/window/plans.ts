/** What is counted of each stream, as the configuration has it. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Engine } from "../../queries/duckdb/engine.ts";
import { admit } from "../../queries/gate.ts";
import { parseWindowList } from "../../queries/windows/header.ts";
import { windowLists } from "../../queries/windows/lists.ts";
import type { SinkConfig, WindowsConfig } from "../window_config.ts";
import type { StreamConfig } from "../stream_config.ts";
import { isOpenFormat } from "../stream_format.ts";
import type { StreamPlan } from "./stream_windows.ts";

export interface PlansRequest {
  windows: WindowsConfig;
  sinks: readonly SinkConfig[];
  streams: readonly Pick<StreamConfig, "name" | "format">[];
}

/** Of the streams of which something is counted. @throws {LogvendError} bad_sql */
export async function windowPlans(
  engine: Engine,
  { windows, sinks, streams }: PlansRequest,
): Promise<StreamPlan[]> {
  const lists = windowLists(windows.lists);
  const own = await Promise.all(
    windows.own.map(async (path) => parseWindowList(path, await Deno.readTextFile(path))),
  );
  const names = streams.map(({ name }) => name);
  const rows: { stream: string; name: string; select: string; rowsMax: number }[] = [];
  for (const { name, select, rows_max: rowsMax } of sinks) {
    if (select === undefined) continue;
    rows.push({ stream: await streamOf(engine, select, names), name, select, rowsMax });
  }
  const isWanted = (stream: PlansRequest["streams"][number]) =>
    windows.streams?.includes(stream.name) ?? !isOpenFormat(stream.format);
  return streams.map((stream): StreamPlan => {
    const isOf = (other: { stream: string }) => other.stream === stream.name;
    return {
      stream: stream.name,
      lists: isWanted(stream) ? lists : [],
      own: own.filter(isOf),
      rows: rows.filter(isOf),
    };
  }).filter((plan) => plan.lists.length + plan.own.length + plan.rows.length > 0);
}

/** The one stream that a SELECT reads. @throws {LogvendError} bad_sql */
export async function streamOf(
  engine: Engine,
  select: string,
  streams: readonly string[],
): Promise<string> {
  const { tables: [stream, ...more] } = await admit(engine, select, streams);
  if (stream !== undefined && more.length === 0) return stream;
  throw new LogvendError("bad_sql", `it reads ${stream === undefined ? "none" : "several"}`);
}
