/** Splits one SELECT into what every host runs and what merges their rows: the same on both sides. */
import type { Range } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { Column, Table } from "../../protocol/wire/messages.ts";
import { shownColumns } from "../../protocol/schema/streams.ts";
import { emptySelect, identifier } from "../../protocol/schema/table_sql.ts";
import { bindFailure, bindFailureIn, printSql } from "../ast.ts";
import type { QueryNode } from "../ast_nodes.ts";
import { Engine } from "../duckdb/engine.ts";
import { admit } from "../gate.ts";
import { isHeavy } from "../heavy.ts";
import { conformed, distinctNames } from "./answer_columns.ts";
import { catalogQuery, emptied, withRelations } from "./catalog.ts";
import type { Relations } from "./catalog.ts";
import { withColumnNames } from "./column_names.ts";
import { freezeClock, readsClock } from "./freeze.ts";
import { namesOf } from "./plan.ts";
import type { Plan, Shown } from "./plan.ts";
import { PlanCache } from "./plan_cache.ts";
import { boundsOf, boundsTime } from "./range.ts";
import { EVERYWHERE, reachOf } from "./reach.ts";
import { neededColumns } from "./rows.ts";
import { stringsOf } from "./shape.ts";
import { PlanSplitter } from "./split.ts";
import { Templates } from "./templates.ts";

/**
 * Raised with every change that makes a host's partial differ; both sides must agree on it, so that
 * each knows the one before as well. Version 7 carries no text that has a collation.
 */
export const PLAN_VERSIONS: readonly number[] = [7, 6];
export const PLAN_VERSION = 7;

/** Binding a statement of the allowed size takes milliseconds: longer, it is meant to harm. */
const PLAN_TIMEOUT_MS = 5_000;

export interface PlanRequest {
  sql: string;
  /** Tables that the SQL may name. */
  tables: readonly Table[];
  /** Tables of the asker's own, which it may name as well. @default none */
  broadcast?: readonly Table[];
  /** The instant that now(), today() and the like stand for: ISO 8601, UTC. */
  now: string;
  /** Dropped when it is implied and WHERE bounds ts or time_local. */
  range: Range;
  /** The most rows that rows mode ships; a LIMIT above it does not make a top_k. */
  rowsMax: number;
  /** One of PLAN_VERSIONS. @default PLAN_VERSION */
  version?: number;
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

type OnSound = (sound: Sound) => void;

export class Planner implements AsyncDisposable {
  /** The empty views in the engine, by table: like on hosts, they have no rowid. */
  private readonly views = new Map<string, string>();
  private readonly cache = new PlanCache();
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly engine: Engine,
    private readonly splitter: PlanSplitter,
  ) {}

  /** Opens a warm planner. Calls of `plan` may overlap. */
  static async open(): Promise<Planner> {
    const engine = await Engine.open();
    await engine.run("SET errors_as_json = true");
    // Nothing runs here: a plan needs names and types, and no constants folded in advance.
    await engine.run("PRAGMA disable_optimizer");
    await engine.lockDown([]); // types and SQL of others are bound here
    return new Planner(engine, new PlanSplitter(engine, await Templates.parse(engine)));
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

  /** Stops what is being planned: it throws. */
  interrupt(): void {
    this.engine.interrupt();
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
    const { sql, broadcast: own = [] } = request;
    const known = new Map(request.tables.map(({ name, columns }) => [name, columns]));
    const { node, tables: used, readsCatalog } = await admit(this.engine, sql, [
      ...known.keys(),
      ...own.map(({ name }) => name),
    ]);
    const tables = used.filter((name) => known.has(name));
    const strings = stringsOf(node);
    const shown: Shown = (table) => shownColumns(known.get(table) ?? [], strings);
    for (const table of tables) await this.createView(table, shown(table));
    for (const { name, columns } of own) await this.createView(name, columns);
    if (readsCatalog) {
      const plan = await this.planCatalog(request, node, shown);
      onSound({ ...plan, readsCatalog });
      return plan; // not cached: it holds the rows themselves, which may be many
    }
    const columns = distinctNames(await this.describe(sql));
    const frozen = freezeClock(sql, await withColumnNames(this.engine, node), request.now, node);
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
    const frame = { tables, columnsRead, columns, range, reach, isHeavy: isHeavy(node) };
    const { rowsMax, version = PLAN_VERSION } = request;
    const plan = await this.splitter.split(frozen, { sql, frame, shown, own, rowsMax, version });
    if (!readsClock(node)) this.cache.add(request, { plan, sqlBoundsTime });
    return plan;
  }

  /**
   * The catalog is what `SELECT *` shows: columns that it leaves out are in the catalog too only
   * for SQL that names them.
   */
  private async planCatalog(
    { sql, now, tables, broadcast = [] }: PlanRequest,
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
      [...tables.map(({ name }) => ({ name, columns: [...shown(name)] })), ...broadcast],
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
      isHeavy: isHeavy(node),
      partials: [],
      mergeSql: conformed(withRelations(merge, relations), merged, columns),
      columns,
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
}
