/** Counts windows of one stream: its lists, those of users, and rows that sinks want as they are. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import {
  columnsOfLists,
  compileList,
  compileRows,
  WINDOW_ROWS,
  windowSelect,
} from "../../queries/windows/compile.ts";
import type { CompiledList, CompiledRows, Span } from "../../queries/windows/compile.ts";
import type { WindowList } from "../../queries/windows/header.ts";
import type { Computer, TextRows } from "../store/computing.ts";
import { eventId, WINDOWS_FEED } from "./event.ts";
import type { NewEvent } from "./event.ts";

/** Rows that a sink wants. */
export interface RowFeed {
  /** The sink. */
  name: string;
  select: string;
  /** Rows of one window that are sent at most; what is beyond is counted. */
  rowsMax: number;
}

/** What is counted of a stream. */
export interface StreamPlan {
  stream: string;
  lists: readonly WindowList[];
  /** Lists of users: what goes wrong with one concerns no other. */
  own: readonly WindowList[];
  rows: readonly RowFeed[];
}

/** Where an address is; null: not known. */
export type Locate = (address: string) => { lat: number; lon: number } | null;

export interface StreamWindowsOptions {
  plan: StreamPlan;
  host: string;
  region: string;
  everyMs: number;
  shape: () => StreamShape;
  compute: Computer;
  locate: Locate;
}

/** What one window says, by feed. */
export interface Counted {
  startMs: number;
  feeds: Map<string, NewEvent[]>;
  /** Lists that could not be counted. */
  uncounted: Set<string>;
  /** Feeds of more rows than may be sent. */
  cut: string[];
}

/** Some hundred windows of a busy host take a second. */
const COMPUTE_TIMEOUT_MS = 60_000;
/** SQL of users may not hold up everything else. */
const OWN_TIMEOUT_MS = 5_000;
/** A list of a user that failed is left alone for so long: each failure costs a worker. */
const FAILED_PAUSE_MS = 60_000;

interface Compiled {
  /** The shape, as JSON. */
  shape: string;
  lists: CompiledList[];
  own: CompiledList[];
  rows: { feed: RowFeed; compiled: CompiledRows }[];
}

export class StreamWindows {
  private readonly log = getLogger(["agent", "window"]);
  private compiled: Compiled | null = null;
  /** When lists and feeds of users failed last. */
  private readonly failedMs = new Map<string, number>();

  constructor(private readonly options: StreamWindowsOptions) {}

  get stream(): string {
    return this.options.plan.stream;
  }

  /** Counts windows by their starts. @throws when the lists cannot be counted now */
  async count(starts: readonly number[], signal: AbortSignal): Promise<Counted[]> {
    const { lists, own, rows } = await this.compile();
    const lacking = this.lacking([...lists, ...own]);
    const counted = starts.map((startMs): Counted => ({
      startMs,
      feeds: new Map(
        [WINDOWS_FEED, ...rows.map(({ feed }) => feed.name)].map((name) => [name, []]),
      ),
      uncounted: new Set(lacking),
      cut: [],
    }));
    if (lists.length > 0) await this.addLists(counted, { lists, signal });
    for (const list of own) {
      const failed = await this.guarded(
        list.group,
        signal,
        () => this.addLists(counted, { lists: [list], signal, timeoutMs: OWN_TIMEOUT_MS }),
      );
      if (failed) counted.forEach(({ uncounted }) => uncounted.add(list.group));
    }
    for (const { feed, compiled } of rows) {
      const failed = await this.guarded(
        feed.name,
        signal,
        () => this.addRows(counted, { feed, compiled, signal }),
      );
      if (failed) counted.forEach(({ feeds }) => feeds.delete(feed.name));
    }
    return counted;
  }

  /** Lists that cannot be made over the columns that there are: they take back nothing of what they said. */
  private lacking(compiled: readonly CompiledList[]): string[] {
    const { lists, own } = this.options.plan;
    const made = new Set(compiled.map(({ group }) => group));
    return [...lists, ...own].map(({ group }) => group).filter((group) => !made.has(group));
  }

  private async compile(): Promise<Compiled> {
    const shape = JSON.stringify(this.options.shape());
    if (this.compiled?.shape === shape) return this.compiled;
    const { plan, shape: shapeNow } = this.options;
    const columns = streamSchema(shapeNow()).logical;
    await using engine = await Engine.open();
    await engine.run("SET errors_as_json = true");
    const compiled: Compiled = { shape, lists: [], own: [], rows: [] };
    for (const list of plan.lists) {
      const one = await compileList(engine, {
        ...list,
        stream: plan.stream,
        sql: renamed(list, plan),
      }, columns);
      if (one !== null) compiled.lists.push(one);
    }
    for (const list of plan.own) {
      await this.attempt(list.group, async () => {
        const one = await compileList(engine, list, columns);
        if (one !== null) compiled.own.push(one);
      });
    }
    for (const feed of plan.rows) {
      await this.attempt(feed.name, async () => {
        const from = { stream: plan.stream, columns };
        compiled.rows.push({ feed, compiled: await compileRows(engine, feed.select, from) });
      });
    }
    return this.compiled = compiled;
  }

  /** A column may not be there yet: the next shape is another try. */
  private async attempt(name: string, act: () => Promise<void>) {
    try {
      await act();
    } catch (error) {
      this.log.warn("{name} cannot be counted over {stream} as it is: {error}", {
        name,
        stream: this.stream,
        error: messageOf(error),
      });
    }
  }

  /** Says whether it failed, or did so a moment ago. */
  private async guarded(
    name: string,
    signal: AbortSignal,
    act: () => Promise<void>,
  ): Promise<boolean> {
    const nowMs = performance.now();
    const failedMs = this.failedMs.get(name);
    if (failedMs !== undefined && nowMs - failedMs < FAILED_PAUSE_MS) return true;
    try {
      await act();
      this.failedMs.delete(name);
      return false;
    } catch (error) {
      if (signal.aborted) throw error;
      this.failedMs.set(name, nowMs);
      this.log.warn("{name} failed, is tried again in a minute; the other lists go on: {error}", {
        name,
        error: messageOf(error),
      });
      return true;
    }
  }

  private async addLists(
    counted: readonly Counted[],
    { lists, signal, timeoutMs = COMPUTE_TIMEOUT_MS }: {
      lists: readonly CompiledList[];
      signal: AbortSignal;
      timeoutMs?: number;
    },
  ) {
    const selects = counted.map(({ startMs }) => windowSelect(lists, this.spanOf(startMs)));
    const columns = columnsOfLists(lists);
    const results = await this.run(counted, { selects, columns, timeoutMs, signal });
    for (const [i, rows] of results.entries()) {
      const events = counted[i]?.feeds.get(WINDOWS_FEED);
      const startMs = counted[i]?.startMs ?? 0;
      events?.push(...rows.map((row) => this.listEvent(startMs, lists, row)));
    }
  }

  private listEvent(
    startMs: number,
    lists: readonly CompiledList[],
    [list, value = null, count, more = null]: (string | null)[],
  ): NewEvent {
    const { group = "" } = lists[Number(list)] ?? {};
    const { sample, ...fields } = more === null ? {} : presentFields(more);
    const place = typeof sample === "string" ? this.options.locate(sample) : null;
    return {
      ...this.subject(startMs, group, value),
      ...(value === null ? {} : { value }),
      count: Number(count),
      ...fields,
      ...place,
    };
  }

  private async addRows(
    counted: readonly Counted[],
    { feed, compiled, signal }: { feed: RowFeed; compiled: CompiledRows; signal: AbortSignal },
  ) {
    const { rowsMax, name } = feed;
    const selects = counted.map(({ startMs }) => compiled.select(this.spanOf(startMs), rowsMax));
    const { columns } = compiled;
    const results = await this.run(counted, {
      selects,
      columns,
      timeoutMs: OWN_TIMEOUT_MS,
      signal,
    });
    for (const [i, rows] of results.entries()) {
      const window = counted[i];
      if (window === undefined) continue;
      if (rows.length > rowsMax) window.cut.push(name);
      const seen = new Map<string, number>();
      window.feeds.get(name)?.push(
        ...rows.slice(0, rowsMax).map(([text = null]): NewEvent => {
          const row = text ?? "{}";
          const nth = seen.get(row) ?? 0;
          seen.set(row, nth + 1);
          return { ...this.subject(window.startMs, name, row, nth), row: JSON.parse(row) };
        }),
      );
    }
  }

  private subject(startMs: number, group: string, value: string | null, nth = 0) {
    const { host, region, everyMs } = this.options;
    const { stream } = this;
    const id = eventId({ host, stream, startMs, everyMs, group, value, nth });
    return { id, host, region, stream, ...this.spanOf(startMs), group };
  }

  private spanOf(startMs: number): Span {
    return { start: isoOf(startMs), end: isoOf(startMs + this.options.everyMs) };
  }

  private async run(
    counted: readonly Counted[],
    work: {
      selects: string[];
      columns: CompiledRows["columns"];
      timeoutMs: number;
      signal: AbortSignal;
    },
  ): Promise<TextRows[]> {
    const starts = counted.map(({ startMs }) => startMs);
    const { signal, ...rest } = work;
    return await this.options.compute({
      table: this.stream,
      view: WINDOW_ROWS,
      since: isoOf(Math.min(...starts)),
      until: isoOf(Math.max(...starts) + this.options.everyMs),
      ...rest,
    }, signal);
  }
}

/** Our lists say `logs`, whatever the stream is called. */
function renamed({ sql, stream }: WindowList, plan: StreamPlan): string {
  return stream === plan.stream ? sql : sql.replace(/\bFROM logs\b/g, `FROM ${plan.stream}`);
}

function presentFields(more: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(JSON.parse(more) as Record<string, unknown>).filter(([, v]) => v !== null),
  );
}

/** Without milliseconds where there are none: a hundred events a window have it twice. */
function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
