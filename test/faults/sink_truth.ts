/** What windows have to say by the store, read past the agent, and whether a sink says the same. */
import { join } from "node:path";
import { eventId } from "../../agent/window/event.ts";
import type { WindowEvent } from "../../agent/window/event.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { identifier, tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { compileList, WINDOW_ROWS, windowSelect } from "../../queries/windows/compile.ts";
import type { CompiledList } from "../../queries/windows/compile.ts";
import { windowLists } from "../../queries/windows/lists.ts";
import { HOST, REGION } from "./agent_process.ts";
import { readCommits } from "./data_folder.ts";

/** Of windows of this length. */
export const EVERY_MS = 1_000;

/** What an event says, by its id. */
export type Truth = ReadonlyMap<string, string>;

/** All events of all windows of a stopped agent's store. */
export async function truthOfStore(dataDir: string): Promise<Truth> {
  const { files } = await readCommits(dataDir);
  const paths = files.filter(({ stream }) => stream === "logs").map(({ path }) =>
    join(dataDir, path)
  );
  await using engine = await Engine.open({ memoryBytes: 2 ** 30 });
  await engine.run("SET errors_as_json = true");
  const lists = await compiledLists(engine);
  await engine.run("DROP VIEW IF EXISTS logs");
  const columns = ACCESS.logical;
  const rows = tableSelect(ACCESS, {
    files: paths,
    region: REGION,
    since: null,
    until: null,
    columns,
  });
  await engine.run(`CREATE TABLE ${identifier(WINDOW_ROWS)} AS ${rows}`);
  const starts = await engine.read(
    `SELECT DISTINCT epoch_ms(time_bucket(INTERVAL ${EVERY_MS} MILLISECOND, ts))
     FROM ${identifier(WINDOW_ROWS)}`,
  );
  const truth = new Map<string, string>();
  for (const [start] of starts.rows) {
    const startMs = Number(start);
    const span = { start: isoOf(startMs), end: isoOf(startMs + EVERY_MS) };
    for (const row of (await engine.read(windowSelect(lists, span))).rows) {
      const [list, value, count] = row.map((cell) => cell === null ? null : String(cell));
      const group = lists[Number(list)]?.group ?? "";
      const subject = { host: HOST, stream: "logs", startMs, everyMs: EVERY_MS, group };
      truth.set(
        eventId({ ...subject, value: value ?? null }),
        textOf({ start: isoOf(startMs), group, value: value ?? "", count: Number(count) }),
      );
    }
  }
  return truth;
}

async function compiledLists(engine: Engine): Promise<CompiledList[]> {
  const lists: CompiledList[] = [];
  for (const list of windowLists()) {
    const one = await compileList(engine, list, ACCESS.logical);
    if (one !== null) lists.push(one);
  }
  return lists;
}

/**
 * The highest revision of each event, without those that have left their lists, is the truth.
 * `but`: ids that the sink refuses. @throws saying what is not so
 */
export function assertTruth(
  sink: string,
  events: readonly WindowEvent[],
  truth: Truth,
  but: ReadonlySet<string> = new Set(),
) {
  const newest = new Map<string, WindowEvent>();
  for (const event of events) {
    if ((newest.get(event.id)?.revision ?? 0) <= event.revision) newest.set(event.id, event);
  }
  const wrong: string[] = [];
  for (const [id, text] of truth) {
    const event = newest.get(id);
    if (but.has(id)) {
      if (event !== undefined) wrong.push(`refused, but there: ${text}`);
    } else if (event === undefined) wrong.push(`missing: ${text}`);
    else if (textOf(event) !== text) wrong.push(`${textOf(event)}, but it is ${text}`);
  }
  for (const [id, event] of newest) {
    if (!truth.has(id) && event.count !== 0) wrong.push(`never so: ${textOf(event)}`);
  }
  if (wrong.length > 0) {
    throw new Error(`${sink}: ${wrong.length} of ${truth.size}: ${wrong.slice(0, 5).join("; ")}`);
  }
}

function textOf(
  { start, group, value = "", count = 0 }: Pick<WindowEvent, "start" | "group" | "value" | "count">,
): string {
  return `${start} ${group} ${value} ${count}`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
