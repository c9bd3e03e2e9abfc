/** What hosts ship for aggregates: states of each group, its values with their counts, hashes. */
import { allColumns, baseTable, call, columnRef, conjunction, constant } from "../ast_nodes.ts";
import { identity } from "../ast_nodes.ts";
import { named, nullConstant, select, subqueryTable, unionAll } from "../ast_nodes.ts";
import type { Expression, FunctionCall, QueryNode, SelectNode, TableRef } from "../ast_nodes.ts";
import type { SplitOptions } from "./aggregate.ts";
import type { Shipping, Values } from "./merges.ts";
import type { Templates } from "./templates.ts";

/** How the merge names the table of partial results, whichever it is. */
export const PARTIAL_TABLE = "partial";

/** One SELECT of a host's partial: a row for each group, and for each value of it. */
interface Branch {
  /** By identity: the same value or state travels once. */
  states: Map<string, Expression>;
  value: Expression | null;
  /** A sketch holds some of the hashes that pass, so nothing else can be in it. */
  sketchOf: { of: Expression; filter: Expression | null } | null;
}

/** A column that the merge computes for each row of the partial results. */
interface RunningColumn {
  expression: Expression;
  name: string;
}

export class Shipped implements Shipping {
  private readonly groups = newBranch();
  private readonly branches = new Map<string, Branch>();
  private readonly windows = new Map<string, RunningColumn>();
  /** Columns that must hold numbers for the merge to be right. */
  readonly numbers = new Set<string>();
  /** Expressions that were taken to be numbers. */
  readonly assumed: Expression[] = [];
  readonly templates: Templates;
  private stateCount = 0;
  private hasWholes = false;

  constructor(
    private readonly keys: readonly Expression[],
    private readonly how: Pick<SplitOptions, "templates" | "types">,
  ) {
    this.templates = how.templates;
  }

  /** The merge counts within the groups of hosts: it cannot for the coarser ones of ROLLUP. */
  get countsWithinGroups(): boolean {
    return this.windows.size > 0;
  }

  typeOf(of: Expression): string {
    const known = this.how.types.get(identity(of));
    if (known === undefined) this.assumed.push(of);
    return known ?? "DOUBLE";
  }

  state(part: FunctionCall): Expression {
    return this.stateOf(this.groups, part);
  }

  /** A state that cannot be merged: each group has one row for it. */
  whole(part: FunctionCall): Expression {
    this.hasWholes = true;
    return this.stateOf(this.groups, part);
  }

  values(of: Expression, weight: FunctionCall): Values {
    const branch = this.branch(of, null);
    const valueColumn = this.valueColumn(branch);
    const value = partialColumn(valueColumn);
    const weightColumn = this.stateOf(branch, { ...weight, alias: "" });
    const meanings = { value, weight: weightColumn };
    return {
      value,
      weight: weightColumn,
      running: () => this.window(this.templates.fill("running", meanings), []),
      total: () => this.window(this.templates.fill("total", meanings), []),
      tally: () => this.window(this.templates.fill("total", meanings), [value]),
      mustBeNumbers: () => this.numbers.add(valueColumn),
    };
  }

  sketch(of: Expression, filter: Expression | null): Expression {
    return partialColumn(this.valueColumn(this.branch(of, { of, filter })));
  }

  /** What each host runs: `from` is its table, `where` what the query asks of rows. */
  partial(from: TableRef, where: Expression | null): QueryNode {
    const branches = [...this.branches.values()];
    // States of groups are merged from finer groups as well: they need no rows of their own.
    const finer = this.hasWholes ? undefined : branches.find(({ sketchOf }) => sketchOf === null);
    const isNothing = this.keys.length === 0 && this.groups.states.size === 0;
    const all = finer !== undefined || isNothing ? branches : [this.groups, ...branches];
    return unionAll(all.map((branch) => {
      const groups = branch === finer ? this.groups.states.values() : [];
      return this.selectOf(branch, [...branch.states.values(), ...groups], { from, where });
    }));
  }

  /** What the merge reads: the table of partial results, with the columns that it computes. */
  source(table: string): TableRef {
    const partial = { ...baseTable(table), alias: table === PARTIAL_TABLE ? "" : PARTIAL_TABLE };
    if (this.windows.size === 0) return partial;
    const windows = [...this.windows.values()].map(({ expression, name }) =>
      named(expression, name)
    );
    return subqueryTable(select([allColumns(), ...windows], partial), PARTIAL_TABLE);
  }

  private branch(of: Expression, sketchOf: Branch["sketchOf"]): Branch {
    const id = [of, sketchOf?.filter ?? null, sketchOf !== null].map(textOf).join();
    const known = this.branches.get(id);
    if (known !== undefined) return known;
    const value = named(sketchOf === null ? of : call("hash", of), `__v${this.branches.size}`);
    const branch = { ...newBranch(), value, sketchOf };
    this.branches.set(id, branch);
    return branch;
  }

  private valueColumn(branch: Branch): string {
    return branch.value?.alias ?? "";
  }

  private stateOf(branch: Branch, part: FunctionCall): Expression {
    const id = identity(part);
    const known = branch.states.get(id) ?? named(part, `__p${this.stateCount++}`);
    branch.states.set(id, known);
    return partialColumn(known.alias);
  }

  private window(template: Expression, by: readonly Expression[]): Expression {
    const groups = this.keys.map((_, i) => partialColumn(`__k${i}`));
    const expression = { ...template, partitions: [...groups, ...by] };
    const id = identity(expression);
    const known = this.windows.get(id) ?? { expression, name: `__w${this.windows.size}` };
    this.windows.set(id, known);
    return partialColumn(known.name);
  }

  /** The columns of all branches in one order; NULL where they are another branch's. */
  private selectOf(
    { value, sketchOf }: Branch,
    states: readonly Expression[],
    { from, where }: { from: TableRef; where: Expression | null },
  ): SelectNode {
    const values = [...this.branches.values()].map((other) => {
      const own = other.value !== null && other.value === value;
      return own ? other.value : named(nullConstant(), this.valueColumn(other));
    }).filter((column) => column !== null);
    const own = new Map(states.map((state) => [state.alias, state]));
    const stateColumns = Array.from({ length: this.stateCount }, (_, i) => {
      return own.get(`__p${i}`) ?? named(nullConstant(), `__p${i}`);
    });
    const keys = this.keys.map((key, i) => named(key, `__k${i}`));
    const groups = keys.map((_, i) => i);
    if (value !== null) groups.push(keys.length + values.indexOf(value));
    const whole = {
      ...select([...keys, ...values, ...stateColumns], from),
      where_clause: where,
      group_expressions: groups.map((position) => constant(position + 1)),
      group_sets: groups.length > 0 ? [groups.map((_, i) => i)] : [],
    };
    return sketchOf === null || value === null ? whole : this.sketched(whole, value, sketchOf);
  }

  private sketched(
    whole: SelectNode,
    value: Expression,
    { of, filter }: NonNullable<Branch["sketchOf"]>,
  ): SelectNode {
    const conditions = [whole.where_clause, filter, this.templates.fill("isNotNull", { value: of })]
      .filter((condition) => condition !== null);
    const smallest = this.templates.fill("sketched", { value: named(value, "") });
    const rank = { ...smallest["left"] as Expression, partitions: [...this.keys] };
    return {
      ...whole,
      where_clause: conjunction(conditions),
      qualify: { ...smallest, left: rank },
    };
  }
}

function newBranch(): Branch {
  return { states: new Map(), value: null, sketchOf: null };
}

/** Qualified: an alias of the answer with the same name must not stand in its way. */
export function partialColumn(name: string): Expression {
  return columnRef(PARTIAL_TABLE, name);
}

function textOf(part: Expression | boolean | null): string {
  return typeof part === "object" && part !== null ? identity(part) : String(part);
}
