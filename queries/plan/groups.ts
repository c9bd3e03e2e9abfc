/** Divides a SELECT that groups rows between the hosts and the merge, where DuckDB finds it sound. */
import type { Column } from "../../protocol/wire/messages.ts";
import { emptySelect } from "../../protocol/schema/table_sql.ts";
import { printSql } from "../ast.ts";
import { identity, named, select } from "../ast_nodes.ts";
import type { Expression, SelectNode } from "../ast_nodes.ts";
import type { Engine } from "../duckdb/engine.ts";
import { carrierOf } from "../transfer/carriers.ts";
import { splitAggregate } from "./aggregate.ts";
import { JOINED_TABLE } from "./joined.ts";
import { hasWindow } from "./local.ts";
import type { Partial } from "./plan.ts";
import { withTables } from "./relations.ts";
import { isObstacle } from "./shape.ts";
import type { Obstacle, SingleTable } from "./shape.ts";
import type { Templates } from "./templates.ts";

/** A SELECT over what every host has a part of. */
export interface Source {
  single: SingleTable;
  /** Of its table, in lower case. */
  columns: readonly string[];
  /** What its table stands for, where that is a join with tables of the asker or has windows. */
  join: SelectNode | null;
}

/** A part of a query that hosts aggregate, and what stands for it where the answer is merged. */
export interface Groups {
  partial: Partial;
  merge: SelectNode;
  /** The merge as text, and what it gives. */
  mergeSql: string;
  columns: Column[];
  /** Of a plan that is nothing but this. */
  mode: "aggregate" | "host_complete" | "rows";
  /** Why rows, where it ships those that come out of windows; rows of joins are a mode. */
  reason: string | null;
}

export interface GroupsRequest {
  /** Of the columns that the SELECT gives. */
  names: readonly string[];
  /** That holds the partial results while they are merged. */
  table: string;
  /** Of the plan. */
  version: number;
}

/** Types that quantiles are computed of as DOUBLEs are. */
const NUMBERS = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT)$|^HUGEINT$|^DOUBLE$/;

const USELESS: Obstacle = {
  subject: "",
  node: null,
  why: "its groups cannot be computed from partial results",
};

interface Attempt {
  result: Groups | Obstacle;
  /** Expressions that were taken to be numbers. */
  assumed: readonly Expression[];
}

export class GroupSplitter {
  constructor(private readonly engine: Engine, private readonly templates: Templates) {}

  async split(source: Source, request: GroupsRequest): Promise<Groups | Obstacle> {
    const { result, assumed } = await this.attempt(source, request, new Map());
    // That most are numbers saves asking DuckDB for their types.
    if (result !== USELESS || assumed.length === 0) return result;
    const types = await this.typesOf(source, assumed);
    return types === null ? result : (await this.attempt(source, request, types)).result;
  }

  private async attempt(
    { single, columns, join }: Source,
    { names, table, version }: GroupsRequest,
    types: ReadonlyMap<string, string>,
  ): Promise<Attempt> {
    const { templates } = this;
    const split = splitAggregate(single, columns, names, { templates, table, version, types });
    if (isObstacle(split)) return { result: split, assumed: [] };
    const { assumed, numbers, merge, isHostComplete } = split;
    const useless = { result: USELESS, assumed };
    const [grouping = "", mergeSql = "", joining = ""] = await printSql(this.engine, [
      split.partial,
      merge,
      ...join === null ? [] : [join],
    ]);
    const sql = withTables(join === null ? [] : [[JOINED_TABLE, joining]], grouping);
    try {
      const shipped = await this.engine.describe(sql);
      if (shipped.some(({ type }) => carrierOf(type) === null)) return useless;
      const numeric = shipped.filter(({ name }) => numbers.has(name));
      if (!numeric.every(({ type }) => NUMBERS.test(type))) return useless;
      const partial = { table, sql, columns: shipped };
      const merged = withTables([[table, emptySelect(shipped)]], mergeSql);
      const given = await this.engine.describe(merged);
      const isOwn = isHostComplete || (join !== null && hasWindow(join));
      const mode = isOwn ? "host_complete" : "aggregate";
      return { result: { partial, merge, mergeSql, columns: given, mode, reason: null }, assumed };
    } catch {
      return useless; // it does not bind: an aggregate of another type than it is split for
    }
  }

  /** Types by identity, numbers as DOUBLE; null when the expressions do not bind. */
  private async typesOf(
    { single, join }: Source,
    expressions: readonly Expression[],
  ): Promise<ReadonlyMap<string, string> | null> {
    const list = expressions.map((expression, i) => named(expression, `t${i}`));
    const [text = "", joining = ""] = await printSql(this.engine, [
      select(list, single.select.from_table),
      ...join === null ? [] : [join],
    ]);
    try {
      const columns = await this.engine.describe(
        withTables(join === null ? [] : [[JOINED_TABLE, joining]], text),
      );
      return new Map(expressions.map((expression, i) => {
        const { type = "" } = columns[i] ?? {};
        return [identity(expression), NUMBERS.test(type) ? "DOUBLE" : type];
      }));
    } catch {
      return null;
    }
  }
}
