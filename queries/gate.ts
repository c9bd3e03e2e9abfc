/** What SQL is allowed: an allow-list over the tree, so that what nobody thought of is refused. */
import { SQL_BYTES_MAX } from "../protocol/signing/claims.ts";
import { LogvendError } from "../protocol/errors.ts";
import { nearMiss } from "../protocol/config/near_miss.ts";
import { offsetOf, parseSelect, sqlError } from "./ast.ts";
import {
  isBaseTable,
  isColumnRef,
  isExpression,
  isFunctionCall,
  isNode,
  locationOf,
} from "./ast_nodes.ts";
import type { AstNode, AstValue, BaseTable, ColumnRef, QueryNode } from "./ast_nodes.ts";
import { CATALOG_VIEWS, qualifiedName } from "./catalog.ts";
import type { Engine } from "./duckdb/engine.ts";
import { AGGREGATES, exclusionOf, SCALARS, TABLE_FUNCTIONS } from "./gate_functions.ts";

/** Nested deeper, DuckDB and this program recurse too far. */
export const DEPTH_MAX = 100;

/** More takes DuckDB longer to bind than a query is worth. */
export const NODES_MAX = 5_000;

/** A statement that passed. */
export interface Admitted {
  node: QueryNode;
  /** Tables that it names, spelled as in the list of those that it may name. */
  tables: string[];
  /** Whether it reads the catalog (SHOW, DESCRIBE, information_schema), and so none of the tables. */
  readsCatalog: boolean;
}

/**
 * Parses and checks SQL that may read `tables`.
 * @throws {LogvendError} bad_sql: the rule, the position in the SQL, what is allowed instead
 */
export async function admit(
  engine: Engine,
  sql: string,
  tables: readonly string[],
): Promise<Admitted> {
  const bytes = new TextEncoder().encode(sql).length;
  if (bytes > SQL_BYTES_MAX) {
    throw new LogvendError("bad_sql", `The SQL is ${bytes} bytes long; ${SQL_BYTES_MAX} at most`);
  }
  const node = await parseSelect(engine, sql);
  const gate = new Gate(sql, tables);
  gate.visit(node, { ctes: [], depth: 0, describes: false });
  return { node, tables: [...gate.used], readsCatalog: gate.readsCatalog() };
}

interface Scope {
  /** Names, in lower case, that WITH gives a meaning here. */
  ctes: readonly string[];
  depth: number;
  /** Inside DESCRIBE, where nothing is read. */
  describes: boolean;
}

const EXPRESSIONS = new Set([
  "BETWEEN",
  "CASE",
  "CAST",
  "COLLATE",
  "COLUMN_REF",
  "COMPARISON",
  "CONJUNCTION",
  "CONSTANT",
  "FUNCTION",
  "LAMBDA",
  "OPERATOR",
  "POSITIONAL_REFERENCE",
  "STAR",
  "SUBQUERY",
  "WINDOW",
]);

/** Query nodes, table references, modifiers and sort orders. */
const PARTS = new Set([
  "SELECT_NODE",
  "SET_OPERATION_NODE",
  "RECURSIVE_CTE_NODE",
  "BASE_TABLE",
  "EMPTY",
  "EXPRESSION_LIST",
  "JOIN",
  "PIVOT",
  "SHOW_REF",
  "SUBQUERY",
  "TABLE_FUNCTION",
  "DISTINCT_MODIFIER",
  "LIMIT_MODIFIER",
  "LIMIT_PERCENT_MODIFIER",
  "ORDER_MODIFIER",
  "ASCENDING",
  "DESCENDING",
  "ORDER_DEFAULT",
]);

/** Not `user`: logs have columns of that name. */
const SESSION_WORDS = new Set(
  ["current_catalog", "current_role", "current_schema", "current_user", "session_user"],
);

const REFUSALS: Readonly<Record<string, string>> = {
  PARAMETER: "Parameters are not allowed: write the value itself",
  DEFAULT: "DEFAULT is not allowed: write the value itself",
};

/** Where what the tree says no place of stands. */
const PLACES: Readonly<Record<string, RegExp>> = {
  DEFAULT: /\bDEFAULT\b/i,
  PARAMETER: /\$|\?/,
  SHOW_REF: /\b(SHOW|SUMMARIZE|DESCRIBE|DESC)\b/i,
};

class Gate {
  readonly used = new Set<string>();
  private nodeCount = 0;
  private asksCatalog = false;
  /** The first table whose rows it reads. */
  private firstRead: BaseTable | null = null;

  constructor(private readonly sql: string, private readonly tables: readonly string[]) {}

  /** To be asked when all is visited. @throws {LogvendError} bad_sql, for the catalog among logs */
  readsCatalog(): boolean {
    if (this.asksCatalog && this.firstRead !== null) {
      const { table_name: name } = this.firstRead;
      this.refuse(
        this.firstRead,
        `The catalog (SHOW, DESCRIBE, information_schema) cannot be joined with ${name}: ` +
          "ask for the one, then for the other",
      );
    }
    return this.asksCatalog;
  }

  visit(value: AstValue, scope: Scope) {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, scope);
    } else if (isNode(value)) {
      const counts = typeof value["type"] === "string";
      const inner = counts ? { ...scope, depth: scope.depth + 1 } : scope;
      if (counts) this.check(value, inner);
      this.descend(value, inner);
    }
  }

  private check(node: AstNode, scope: Scope) {
    if (++this.nodeCount > NODES_MAX) {
      this.refuse(node, `The SQL has more than ${NODES_MAX} parts: write a shorter one`);
    }
    if (scope.depth > DEPTH_MAX) {
      this.refuse(node, `The SQL is nested deeper than ${DEPTH_MAX} levels: flatten it`);
    }
    const kind = String(isExpression(node) ? node.class : node["type"]);
    const known = isExpression(node)
      ? EXPRESSIONS.has(kind)
      : PARTS.has(kind) || kind.endsWith("_TYPE_INFO");
    if (!known) {
      this.refuse(node, REFUSALS[kind] ?? `${kind} is not allowed: write a plain SELECT`);
    }
    if (isBaseTable(node)) this.checkTable(node, scope);
    if (isFunctionCall(node) || kind === "WINDOW") this.checkFunction(node);
    if (isColumnRef(node)) this.checkWord(node);
  }

  private checkTable(table: BaseTable, scope: Scope) {
    const name = table.table_name.toLowerCase();
    if (table["at_clause"] !== null) this.refuse(table, "AT is not allowed: bound ts in WHERE");
    const view = qualifiedName(table);
    if (view !== null) {
      if (!CATALOG_VIEWS.includes(view)) this.refuseTable(table, view, CATALOG_VIEWS);
      this.asksCatalog = true;
      return;
    }
    if (table["schema_name"] !== "" || table["catalog_name"] !== "") {
      const list = this.tables.join(", ");
      this.refuse(table, `A table is named without schema and catalog; there are ${list}`);
    }
    if (scope.ctes.includes(name)) return;
    const known = this.tables.find((allowed) => allowed.toLowerCase() === name);
    if (known === undefined) this.refuseTable(table, table.table_name, this.tables);
    this.used.add(known);
    if (!scope.describes) this.firstRead ??= table;
  }

  private refuseTable(table: BaseTable, name: string, known: readonly string[]): never {
    const near = nearMiss(name, known);
    const hint = near === null ? "" : `. Did you mean ${near}?`;
    this.refuse(table, `There is no table "${name}"; there are ${known.join(", ")}${hint}`);
  }

  private checkFunction(node: AstNode) {
    const name = String(node["function_name"]).toLowerCase();
    const schema = String(node["schema"]).toLowerCase();
    if ((schema !== "" && schema !== "main") || node["catalog"] !== "") {
      this.refuse(node, `A function is called without schema and catalog: write ${name}(…)`);
    }
    if (node["export_state"] === true) {
      this.refuse(node, "EXPORT_STATE is not allowed: select the aggregate itself");
    }
    if (SCALARS.has(name) || AGGREGATES.has(name)) return;
    const reason = exclusionOf(name);
    this.refuse(
      node,
      reason === null
        ? `There is no function ${name}() here: use DuckDB's scalar and aggregate functions`
        : `${name}() is not allowed: it ${reason}${reason.includes(";") ? "" : "; leave it out"}`,
    );
  }

  /** SQL's words without parentheses look like columns, and are functions. */
  private checkWord(node: ColumnRef) {
    const [name = "", ...more] = node.column_names;
    if (more.length > 0 || !SESSION_WORDS.has(name.toLowerCase())) return;
    this.refuse(node, `${name} is not allowed: it ${exclusionOf(name.toLowerCase())}`);
  }

  private descend(node: AstNode, scope: Scope) {
    if (node["type"] === "TABLE_FUNCTION") return this.descendTableFunction(node, scope);
    if (node["type"] === "SHOW_REF") return this.descendShow(node, scope);
    if (!("cte_map" in node)) {
      for (const child of Object.values(node)) this.visit(child, scope);
      return;
    }
    const { cte_map: withClause, ...rest } = node as QueryNode; // only query nodes have one
    let inner = scope;
    for (const { key, value } of withClause.map) {
      const own = { ...inner, ctes: [...inner.ctes, key.toLowerCase()] };
      this.visit(value, isRecursive(value) ? own : inner);
      inner = own;
    }
    for (const child of Object.values(rest)) this.visit(child as AstValue, inner);
  }

  private descendTableFunction(node: AstNode, scope: Scope) {
    const { function: called, ...rest } = node;
    this.visit(Object.values(rest), scope);
    if (!isNode(called)) return;
    const name = String(called["function_name"]).toLowerCase();
    if (!TABLE_FUNCTIONS.has(name) || called["schema"] !== "" || called["catalog"] !== "") {
      const allowed = [...TABLE_FUNCTIONS].join(", ");
      this.refuse(node, `${name}() is not allowed in FROM; allowed are tables and ${allowed}`);
    }
    this.visit(called["children"] ?? null, scope);
  }

  /** SHOW TABLES, or DESCRIBE of a query: `DESCRIBE logs` is one of `SELECT * FROM logs`. */
  private descendShow(node: AstNode, scope: Scope) {
    const { show_type: type, query } = node;
    if (type !== "DESCRIBE" && !isShowTables(node)) {
      this.refuse(
        node,
        "Only SHOW TABLES and DESCRIBE of a table or a SELECT are allowed: write one of them",
      );
    }
    this.asksCatalog = true;
    // It is described by itself: what WITH names around it is not known to it.
    this.visit(query ?? null, { ...scope, ctes: [], describes: true });
  }

  private refuse(node: AstNode, message: string): never {
    const kind = String(isExpression(node) ? node.class : node["type"]);
    const pattern = PLACES[kind];
    const place = locationOf(node) ?? (pattern === undefined ? null : offsetOf(this.sql, pattern));
    throw sqlError(this.sql, message, place);
  }
}

function isRecursive(cte: AstNode): boolean {
  const query = cte["query"];
  return isNode(query) && isNode(query["node"]) && query["node"]["type"] === "RECURSIVE_CTE_NODE";
}

/** The parser names it like a table. */
function isShowTables(node: AstNode): boolean {
  return node["show_type"] === "SHOW_UNQUALIFIED" && node["table_name"] === '"tables"';
}
