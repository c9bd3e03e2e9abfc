/** Splits one SELECT into what every host runs and what merges their rows: the same on both sides. */
import type { Range } from "../../protocol/claims.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { Column, Table } from "../../protocol/messages.ts";
import { shownColumns } from "../../protocol/streams.ts";
import { emptySelect, identifier } from "../../protocol/table_sql.ts";
import { bindFailure, bindFailureIn, positionText, printSql } from "../ast.ts";
import { baseTable, isExpression, locationOf, select } from "../ast_nodes.ts";
import type { QueryNode, SelectNode } from "../ast_nodes.ts";
import { Engine } from "../duckdb/engine.ts";
import { admit } from "../gate.ts";
import { carrierOf } from "../transfer/carriers.ts";
import { aggregates, PARTIAL_TABLE, splitAggregate } from "./aggregate.ts";
import type { Split } from "./aggregate.ts";
import { conformed, distinctNames } from "./answer_columns.ts";
import { catalogQuery, emptied, withRelations } from "./catalog.ts";
import type { Relations } from "./catalog.ts";
import { freezeClock, readsClock } from "./freeze.ts";
import { PlanCache } from "./plan_cache.ts";
import { boundsOf, boundsTime } from "./range.ts";
import type { Bounds } from "./range.ts";
import { EVERYWHERE, reachOf } from "./reach.ts";
import type { Reach } from "./reach.ts";
import { neededColumns, shipRows } from "./rows.ts";
import { isObstacle, singleTable, stringsOf } from "./shape.ts";
import type { Obstacle } from "./shape.ts";
import { splitTopK } from "./top_k.ts";

/** Raised with every change that makes a host's partial differ; both sides must agree on it. */
export const PLAN_VERSION = 3;

/** Binding a statement of the allowed size takes milliseconds: longer, it is meant to harm. */
const PLAN_TIMEOUT_MS = 5_000;

export interface PlanRequest {
  sql: string;
  /** Tables that the SQL may name. */
  tables: readonly Table[];
  /** The instant that now(), today() and the like stand for: ISO 8601, UTC. */
  now: string;
  /** Dropped when it is implied and WHERE bounds ts or time_local. */
  range: Range;
  /** The most rows that rows mode ships; a LIMIT above it does not make a top_k. */
  rowsMax: number;
}

/** What one host runs, over tables named like the streams, and the shape of what comes out. */
export interface Partial {
  /** The table that the merge reads; hosts' rows are loaded into it. */
  table: string;
  sql: string;
  columns: Column[];
}

export interface Plan {
  /**
   * `rows` ships the needed rows: its size grows with the data. `catalog` asks which tables and
   * columns there are: no host has to be asked, `mergeSql` holds the answer.
   */
  mode: "aggregate" | "top_k" | "rows" | "catalog";
  /** Why rows: "string_agg(request) at 1:8 cannot be merged from partial results". */
  reason: string | null;
  /** Base tables that the SQL reads. */
  tables: string[];
  /** The columns that it may read, by table. */
  columnsRead: Record<string, Column[]>;
  /** What the hosts' tables are cut to, half-open over `ts`. */
  range: Bounds;
  /** What of it the SQL's own conditions let the query reach. */
  reach: Reach;
  partials: Partial[];
  /** Runs over the partial tables, each holding the rows of all hosts. */
  mergeSql: string;
  /** Names and types of the answer: those that one DuckDB holding every row would give. */
  columns: Column[];
}

/** SQL that has passed the gate and binds. */
interface Sound extends Pick<Plan, "range" | "reach"> {
  /** Base tables that the SQL reads. */
  tables: readonly string[];
  /** Whether it is about the catalog: no host has to be asked. */
  readsCatalog: boolean;
}

/** Sound SQL: it may go to hosts while the rest is planned. */
export interface Planning extends Sound {
  /** Rejects with bad_sql, when the SQL cannot be split nor carried to hosts. */
  plan: Promise<Plan>;
}

/** What every plan of one request has in common. */
type Frame = Pick<Plan, "tables" | "columnsRead" | "range" | "reach" | "columns">;

/** The columns that the SQL sees of a table. */
type Shown = (table: string) => readonly Column[];

type OnSound = (sound: Sound) => void;

export class Planner implements AsyncDisposable {
  /** The empty views in the engine, by table: like on hosts, they have no rowid. */
  private readonly views = new Map<string, string>();
  private readonly cache = new PlanCache();
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly engine: Engine) {}

  /** Opens a warm planner. Calls of `plan` may overlap. */
  static async open(): Promise<Planner> {
    const engine = await Engine.open();
    await engine.run("SET errors_as_json = true");
    // Nothing runs here: a plan needs names and types, and no constants folded in advance.
    await engine.run("PRAGMA disable_optimizer");
    return new Planner(engine);
  }

  /** @throws {LogvendError} bad_sql, with the position "line:column" */
  async plan(request: PlanRequest): Promise<Plan> {
    return await (await this.start(request)).plan;
  }

  /**
   * Resolves as soon as the SQL is known to be sound, which is half of the way.
   * @throws {LogvendError} bad_sql, with the position "line:column"
   */
  async start(request: PlanRequest): Promise<Planning> {
    const known = this.cache.find(request);
    if (known !== null) {
      return { ...known, readsCatalog: false, plan: Promise.resolve(known) };
    }
    const sound = Promise.withResolvers<Sound>();
    const plan = this.last.then(() => this.planInTime(request, sound.resolve));
    this.last = plan.catch(sound.reject); // the caller has the error; the next call starts anew
    return { ...await sound.promise, plan };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.last;
    await this.engine[Symbol.asyncDispose]();
  }

  private async planInTime(request: PlanRequest, onSound: OnSound): Promise<Plan> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.engine.interrupt();
    }, PLAN_TIMEOUT_MS);
    try {
      return await this.planNow(request, onSound);
    } catch (cause) {
      if (!late) throw cause;
      const message = `The SQL takes longer than ${PLAN_TIMEOUT_MS / 1000} s to plan: simplify it`;
      throw new LogvendError("bad_sql", message, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  private async planNow(request: PlanRequest, onSound: OnSound): Promise<Plan> {
    const { sql } = request;
    const known = new Map(request.tables.map(({ name, columns }) => [name, columns]));
    const { node, tables, readsCatalog } = await admit(this.engine, sql, [...known.keys()]);
    const strings = stringsOf(node);
    const shown: Shown = (table) => shownColumns(known.get(table) ?? [], strings);
    for (const table of tables) await this.createView(table, shown(table));
    if (readsCatalog) {
      const plan = await this.planCatalog(request, node, shown);
      onSound({ ...plan, readsCatalog });
      return plan; // not cached: it holds the rows themselves, which may be many
    }
    const columns = distinctNames(await this.describe(sql));
    const frozen = freezeClock(sql, node, request.now);
    const read = tables.map((table) => ({ name: table, columns: shown(table) }));
    const reach = await reachOf(this.engine, frozen, read);
    const sqlBoundsTime = boundsTime(frozen);
    const range = boundsOf(request.range, sqlBoundsTime);
    onSound({ tables, readsCatalog, range, reach });
    const columnsRead = Object.fromEntries(
      tables.map((table) => {
        const needed = neededColumns(node, namesOf(shown(table)));
        return [table, shown(table).filter(({ name }) => needed.includes(name))];
      }),
    );
    const frame = { tables, columnsRead, columns, range, reach };
    const plan = await this.split(request, frozen, frame, shown);
    if (!readsClock(node)) this.cache.add(request, { plan, sqlBoundsTime });
    return plan;
  }

  /**
   * The catalog is what `SELECT *` shows: columns that it leaves out are in the catalog too only
   * for SQL that names them.
   */
  private async planCatalog(
    { sql, now, tables }: PlanRequest,
    node: QueryNode,
    shown: Shown,
  ): Promise<Plan> {
    const describe = async (text: string, relations: Relations) => {
      try {
        return await this.engine.describe(withRelations(text, emptied(relations)));
      } catch (cause) {
        throw bindFailureIn(sql, node, cause);
      }
    };
    const { node: asked, relations } = await catalogQuery(
      node,
      tables.map(({ name }) => ({ name, columns: [...shown(name)] })),
      async (query) => {
        const [text = ""] = await printSql(this.engine, [query.node]);
        return await describe(text, query.relations);
      },
    );
    const trees = [asked, freezeClock(sql, asked, now)];
    const [original = "", merge = ""] = await printSql(this.engine, trees);
    const columns = distinctNames(await describe(original, relations));
    const merged = await describe(merge, relations);
    return {
      mode: "catalog",
      reason: null,
      tables: [],
      columnsRead: {},
      range: { since: null, until: null },
      reach: EVERYWHERE,
      partials: [],
      mergeSql: conformed(withRelations(merge, relations), merged, columns),
      columns,
    };
  }

  private async split(
    request: PlanRequest,
    frozen: QueryNode,
    frame: Frame,
    shown: Shown,
  ): Promise<Plan> {
    const { sql } = request;
    const { tables, columns } = frame;
    const way = wayOf(frozen, { tables, answer: columns, shown, rowsMax: request.rowsMax });
    if (way.mode === "aggregate") {
      const plan = await this.planAggregate(way.split, frame);
      if (plan !== null) return plan;
    }
    if (way.mode === "top_k") {
      const outline = { mode: "top_k", reason: null, ...frame } as const;
      return await this.planRows(frozen, outline, () => way.first);
    }
    const reason = way.mode === "rows"
      ? await this.reasonText(sql, way.obstacle)
      : "its groups cannot be computed from partial results";
    return await this.planRows(
      frozen,
      { mode: "rows", reason, ...frame },
      (table) => shipRows(frozen, table, namesOf(shown(table))),
    );
  }

  /** Null when the split does not bind, or gives types that cannot travel. */
  private async planAggregate(split: Split, frame: Frame): Promise<Plan | null> {
    const [partialSql = "", mergeSql = ""] = await printSql(this.engine, [
      split.partial,
      split.merge,
    ]);
    try {
      const columns = await this.describe(partialSql);
      if (columns.some(({ type }) => carrierOf(type) === null)) return null;
      const hosts = `WITH ${identifier(PARTIAL_TABLE)} AS (${emptySelect(columns)}) `;
      const merged = await this.describe(mergeSql, hosts);
      return {
        mode: "aggregate",
        reason: null,
        ...frame,
        partials: [{ table: PARTIAL_TABLE, sql: partialSql, columns }],
        mergeSql: conformed(mergeSql, merged, frame.columns),
      };
    } catch (thrown) {
      if (thrown instanceof LogvendError && thrown.code === "bad_sql") return null;
      throw thrown;
    }
  }

  /** Ships rows of each table (`first`: the first rows of the only one) and runs the original. */
  private async planRows(
    node: QueryNode,
    outline: Pick<Plan, "mode" | "reason"> & Frame,
    shippedOf: (table: string) => SelectNode,
  ): Promise<Plan> {
    const { tables } = outline;
    const shipped = tables.map(shippedOf);
    const [original = "", ...partials] = await printSql(this.engine, [node, ...shipped]);
    const merged = await this.describe(original).catch((cause) => {
      const why = messageOf(cause).split("\n")[0];
      throw new LogvendError("bad_sql", `Cannot carry this SQL to hosts: ${why}. Rewrite it`, {
        cause,
      });
    });
    return {
      ...outline,
      partials: tables.map((table, i) => ({
        table,
        sql: partials[i] ?? "",
        columns: outline.columnsRead[table] ?? [],
      })),
      mergeSql: conformed(original, merged, outline.columns),
    };
  }

  /** Names and types of a SELECT's result. @throws {LogvendError} bad_sql, when it does not bind */
  private async describe(sql: string, withClause = ""): Promise<Column[]> {
    try {
      return await this.engine.describe(withClause + sql);
    } catch (cause) {
      throw bindFailure(sql, cause, withClause);
    }
  }

  private async createView(table: string, shown: readonly Column[]) {
    const empty = emptySelect(shown);
    if (this.views.get(table) === empty) return;
    await this.engine.run(`CREATE OR REPLACE VIEW ${identifier(table)} AS ${empty}`);
    this.views.set(table, empty);
  }

  private async reasonText(sql: string, { subject, node, why }: Obstacle): Promise<string> {
    let text = subject;
    if (typeof text !== "string" && isExpression(text)) {
      const bare = select([{ ...text, alias: "" }], { ...baseTable(""), type: "EMPTY" });
      text = (await printSql(this.engine, [bare]))[0]?.replace(/^SELECT /, "") ?? "";
    }
    const position = node === null ? null : positionText(sql, locationOf(node));
    return [text, position === null ? "" : `at ${position}`, why].filter(Boolean).join(" ");
  }
}

/** How hosts can do most of the work, or why they can only send rows. */
type Way =
  | { mode: "aggregate"; split: Split }
  | { mode: "top_k"; first: SelectNode }
  | { mode: "rows"; obstacle: Obstacle };

interface Question {
  tables: readonly string[];
  answer: readonly Column[];
  shown: Shown;
  rowsMax: number;
}

function wayOf(node: QueryNode, { tables, answer, shown, rowsMax }: Question): Way {
  const [table] = tables;
  if (table === undefined) {
    return { mode: "rows", obstacle: { subject: "", node: null, why: "it reads no table" } };
  }
  const single = singleTable(node);
  if (isObstacle(single)) return { mode: "rows", obstacle: single };
  const columns = namesOf(shown(table));
  if (aggregates(single)) {
    const lower = columns.map((name) => name.toLowerCase()); // as names in the tree are compared
    const split = splitAggregate(single, lower, answer.map(({ name }) => name));
    return "why" in split ? { mode: "rows", obstacle: split } : { mode: "aggregate", split };
  }
  const first = splitTopK(single, neededColumns(node, columns), rowsMax);
  return isObstacle(first) ? { mode: "rows", obstacle: first } : { mode: "top_k", first };
}

function namesOf(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name);
}
