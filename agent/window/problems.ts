/** What is wrong with windows and sinks that no schema can tell: SQL, files, secrets. */
import type { ConfigProblem } from "../../protocol/config/config_file.ts";
import { messageOf } from "../../protocol/errors.ts";
import { nearMiss } from "../../protocol/config/near_miss.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { compileList, compileRows } from "../../queries/windows/compile.ts";
import { parseWindowList } from "../../queries/windows/header.ts";
import { LIST_NAMES } from "../../queries/windows/lists.ts";
import type { AgentConfig } from "../config.ts";
import { shapeOfStream } from "../geo/geo_shape.ts";
import { isOpenFormat } from "../stream_format.ts";
import { openSink } from "./open_sink.ts";
import { streamOf } from "./plans.ts";

type WindowedConfig = Pick<AgentConfig, "geo" | "streams" | "windows" | "sinks">;

/** Tries every list, every select and every secret. */
export async function windowProblems(config: WindowedConfig): Promise<ConfigProblem[]> {
  const { windows, sinks, streams } = config;
  if (windows === undefined && sinks.length === 0) return [];
  await using engine = await Engine.open();
  await engine.run("SET errors_as_json = true");
  const problems: ConfigProblem[] = [];
  const add = (path: PropertyKey[], found: unknown, wanted: string) =>
    problems.push({ path, found, wanted: wanted.replaceAll(/\s+/g, " ") });
  for (const [i, name] of (windows?.streams ?? []).entries()) {
    const names = streams.map((stream) => stream.name);
    if (!names.includes(name)) add(["windows", "streams", i], name, oneOf(name, names));
  }
  const groups = new Set<string>(LIST_NAMES);
  for (const [i, path] of (windows?.own ?? []).entries()) {
    const wanted = await ownProblem(engine, config, { path, groups }).catch(messageOf);
    if (wanted !== null) add(["windows", "own", i], path, `a list that can be made: ${wanted}`);
  }
  const names = new Set<string>();
  for (const [i, sink] of sinks.entries()) {
    if (names.has(sink.name)) add(["sinks", i, "name"], sink.name, "names that differ");
    names.add(sink.name);
    if (sink.select !== undefined) {
      const { select } = sink;
      const wanted = await selectProblem(engine, config, select).catch(messageOf);
      if (wanted !== null) {
        add(["sinks", i, "select"], select, `a SELECT over one stream: ${wanted}`);
      }
    }
    const wanted = await openSink(sink).then((open) => open[Symbol.asyncDispose](), messageOf);
    if (typeof wanted === "string") {
      add(["sinks", i], sink.name, `a sink that can be opened: ${wanted}`);
    }
  }
  return problems;
}

async function ownProblem(
  engine: Engine,
  config: WindowedConfig,
  { path, groups }: { path: string; groups: Set<string> },
): Promise<string | null> {
  const list = parseWindowList(path, await Deno.readTextFile(path));
  if (groups.has(list.group)) return `-- group: ${list.group} is another list already`;
  groups.add(list.group);
  const columns = columnsOf(config, list.stream);
  if (columns === null) return `-- stream: ${oneOf(list.stream, namesOf(config))}`;
  if (columns === "open") return null; // they are known when lines come
  const compiled = await compileList(engine, list, columns);
  return compiled === null
    ? `${list.stream} has not all of -- needs: ${list.needs?.join(" ")}`
    : null;
}

async function selectProblem(
  engine: Engine,
  config: WindowedConfig,
  select: string,
): Promise<string | null> {
  const stream = await streamOf(engine, select, namesOf(config));
  const columns = columnsOf(config, stream);
  if (columns === null || columns === "open") return null;
  await compileRows(engine, select, { stream, columns });
  return null;
}

/** "open": lines bring columns of their own. Null: there is no such stream. */
function columnsOf({ streams, geo }: WindowedConfig, name: string) {
  const stream = streams.find((one) => one.name === name);
  if (stream === undefined) return null;
  return isOpenFormat(stream.format)
    ? "open"
    : streamSchema(shapeOfStream(stream, { geo })).logical;
}

function namesOf({ streams }: WindowedConfig): string[] {
  return streams.map(({ name }) => name);
}

function oneOf(found: string, names: readonly string[]): string {
  const near = nearMiss(found, names);
  return `one of ${names.join(", ")}${near === null ? "" : `. Did you mean ${near}?`}`;
}
