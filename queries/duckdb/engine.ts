/** One DuckDB instance with one connection, behind the few calls that logvend makes. */
import { DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import type {
  DuckDBConnection,
  DuckDBMaterializedResult,
  DuckDBPreparedStatement,
  DuckDBType,
  DuckDBValue,
} from "@duckdb/node-api";
import type { Column } from "../../protocol/wire/messages.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import { canPoint } from "./raw_chunk.ts";
import { rawChunk } from "./raw_vector.ts";
import type { RawChunk } from "./raw_vector.ts";
import { tableFunction } from "./row_source.ts";
import type { RowSource } from "./row_source.ts";
import { CHUNK_ROWS } from "./types.ts";

/** A materialised result. `rows` are arrays in column order, values as node-api gives them. */
export interface ResultTable {
  columns: Column[];
  rows: DuckDBValue[][];
}

/** Columns of texts, by the name that they bind to. */
export type TextColumns = Readonly<Record<string, readonly (string | null)[]>>;

export interface EngineOptions {
  /** @default 1 */
  threads?: number;
  /** DuckDB's memory_limit. @default 256 MiB */
  memoryBytes?: number;
  /** Where DuckDB may spill; without it a query that needs more memory fails. */
  spillFolder?: string;
}

/** A column of prepareOnTexts in its SQL. */
export function textsOf(name: string): string {
  return `from_json($${name}::VARCHAR, '["VARCHAR"]')`;
}

/** The same on every host: answers must not depend on a host's locale or on extensions. */
const SETTINGS = [
  "SET TimeZone = 'UTC'",
  "SET autoinstall_known_extensions = false",
  "SET autoload_known_extensions = false",
  "SET allow_community_extensions = false",
];

/** Types that are made of others. */
const NESTED = /\]$|^(STRUCT|MAP|UNION)\(/;

/** More are not kept: what comes again and again are a few. */
const PREPARED_MAX = 16;

export class Engine implements AsyncDisposable {
  private readonly prepared = new Map<string, DuckDBPreparedStatement>();

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
  ) {}

  /** Opens an in-memory instance. */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    const mib = Math.round((options.memoryBytes ?? 256 * 2 ** 20) / 2 ** 20);
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(options.threads ?? 1),
      memory_limit: `${mib}MiB`,
      temp_directory: options.spillFolder ?? "",
    });
    const engine = new Engine(instance, await instance.connect());
    for (const setting of SETTINGS) await engine.run(setting);
    return engine;
  }

  /** Runs one statement. `values` bind as `$name`. */
  async run(sql: string, values?: Record<string, DuckDBValue>): Promise<void> {
    await this.connection.run(sql, values);
  }

  /** Runs one statement and holds its whole result; throws when it fails midway. */
  async read(sql: string, values?: Record<string, DuckDBValue>): Promise<ResultTable> {
    return resultOf(await this.connection.run(sql, values));
  }

  /**
   * Runs one SELECT and gives its rows as they come, `rowCount` or more at once until the last. Only
   * what is given is held. Other statements end it.
   */
  async *stream(sql: string, rowCount: number): AsyncGenerator<DuckDBValue[][]> {
    const result = await this.connection.stream(sql);
    let rows: DuckDBValue[][] = [];
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      rows = rows.length === 0 ? chunk.getRows() : rows.concat(chunk.getRows());
      if (rows.length < rowCount) continue;
      yield rows;
      rows = [];
    }
    if (rows.length > 0) yield rows;
  }

  /**
   * Runs one SELECT and gives its rows as they come, as columns that lie as in DuckDB's memory.
   * @param widths of the values (raw_vector.ts)
   */
  async *streamRaw(sql: string, widths: readonly (number | null)[]): AsyncGenerator<RawChunk> {
    const result = await this.connection.stream(sql);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      yield rawChunk(chunk, widths);
    }
  }

  /**
   * Like `read`, in half the time, for statements that read no table and come again and again:
   * they are prepared once. One at a time: the next call's values would replace these.
   */
  async compute(sql: string, values: Record<string, DuckDBValue>): Promise<ResultTable> {
    const statement = this.prepared.get(sql) ?? await this.connection.prepare(sql);
    if (this.prepared.size < PREPARED_MAX) this.prepared.set(sql, statement);
    statement.bind(values);
    return resultOf(await statement.run());
  }

  /** Names and types of a SELECT's result, as DESCRIBE gives them; nothing is executed. */
  async describe(select: string): Promise<Column[]> {
    const statement = await this.connection.prepare(select);
    try {
      const columns = Array.from({ length: statement.columnCount }, (_, i) => {
        const type = statement.columnType(i);
        return { name: statement.columnName(i), type: type.alias ?? String(type) };
      });
      if (!columns.some(({ type }) => NESTED.test(type))) return columns;
    } finally {
      statement.destroySync();
    }
    // Aliases inside nested types (JSON[]) are known to DuckDB alone; a DESCRIBE takes longer.
    const { rows } = await this.read(`DESCRIBE ${select}`);
    return rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
  }

  /** Makes a table of what a SELECT gives, and returns how many rows that is. */
  async createTable(table: string, select: string): Promise<number> {
    const { rows } = await this.read(`CREATE TABLE ${table} AS ${select}`);
    return Number(rows[0]?.[0]);
  }

  /**
   * Parses and plans one statement in which `textsOf(name)` is a list of texts, null for NULL; the
   * result runs it. They go in as JSON: a value of DuckDB's for each would take ten times as long.
   */
  async prepareOnTexts(sql: string): Promise<(texts: TextColumns) => Promise<void>> {
    const statement = await this.connection.prepare(sql);
    return async (texts) => {
      statement.bind(
        Object.fromEntries(
          Object.entries(texts).map(([name, column]) => [name, JSON.stringify(column)]),
        ),
      );
      await statement.run();
    };
  }

  /** Appends columns (arrays of one length) to a table; SQL sees them when it resolves. */
  async append(table: string, types: readonly DuckDBType[], columns: readonly DuckDBValue[][]) {
    const appender = await this.connection.createAppender(table);
    const rowCount = columns[0]?.length ?? 0;
    for (let start = 0; start < rowCount; start += CHUNK_ROWS) {
      const chunk = DuckDBDataChunk.create(types, Math.min(CHUNK_ROWS, rowCount - start));
      chunk.setColumns(columns.map((column) => column.slice(start, start + CHUNK_ROWS)));
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
  }

  /**
   * Lets SQL read rows of ours: `FROM name()`.
   * @param isRaw whether they go in without a JavaScript value each @default where that is possible
   */
  addSource(name: string, source: RowSource, isRaw = canPoint()): void {
    this.connection.registerTableFunction(tableFunction(name, source, isRaw));
  }

  /**
   * Closes the file system to all later SQL, except for these exact paths; for good. Views that
   * read them are made on the way: one round trip does it all.
   */
  async lockDown(
    allowedPaths: readonly string[],
    views: readonly { table: string; sql: string }[] = [],
  ): Promise<void> {
    const list = allowedPaths.map((path) => `'${path.replaceAll("'", "''")}'`).join(", ");
    const statements = [
      `SET allowed_paths = [${list}]`,
      "SET enable_external_access = false",
      "SET lock_configuration = true",
      ...views.map(({ table, sql }) => `CREATE VIEW ${identifier(table)} AS ${sql}`),
    ];
    await this.run(statements.join("; "));
  }

  /**
   * Lets rows come in any order where the SQL asks for none: what reads and writes many rows then
   * takes half the time and memory.
   */
  async freeOrder(): Promise<void> {
    await this.run("SET preserve_insertion_order = false");
  }

  /** Stops the running statement: it throws. */
  interrupt() {
    this.connection.interrupt();
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const statement of this.prepared.values()) statement.destroySync();
    this.connection.closeSync();
    this.instance.closeSync();
    return Promise.resolve();
  }
}

/** The result is all there: asking for its chunks one by one would cost a thread's turn each. */
function resultOf(result: DuckDBMaterializedResult): ResultTable {
  const types = result.columnTypes();
  return {
    columns: result.columnNames().map((name, i) => ({ name, type: String(types[i]) })),
    rows: Array.from({ length: result.chunkCount }, (_, i) => result.getChunk(i).getRows()).flat(),
  };
}
