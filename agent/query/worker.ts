/** The query worker: a process that runs one query at a time, each in a DuckDB of its own. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { formatBytes } from "../../protocol/units.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
import { fileTarget, writeRows } from "../../queries/answer/format.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { sqlError } from "../../queries/duckdb/sql_error.ts";
import { columnsOf, exportSelect, exportTable } from "../../queries/transfer/export.ts";
import type { Exported } from "../../queries/transfer/export.ts";
import { createBroadcastTable } from "../../queries/transfer/import.ts";
import { readJsonLines, writeJsonLine } from "../../protocol/wire/json_lines.ts";
import { Planner } from "../../queries/plan/planner.ts";
import { confine } from "../../protocol/process/confinement.ts";
import { resultFile, WorkerRequest, WorkerSettings } from "./worker_protocol.ts";
import type { Output, Shipped, WorkerQuery, WorkerReply } from "./worker_protocol.ts";

/** DuckDB spills above it; texts and lists that it is at work on come on top, up to all of it. */
const BUFFERS_SHARE = 0.75;
const THREADS_MAX = 2;
/**
 * Opening a DuckDB takes 12-19 ms of a core: first the answer goes its way. A query that follows
 * at once waits for both.
 */
const REOPEN_DELAY_MS = 15;
/** No stream is called this: their names start with a letter. */
const ANSWER = "__answer";
/** Longer results are not held: they are written as they are made. */
const HELD_ROWS_MAX = 100_000;
/** Rows that the size of a result over the cap is estimated from. */
const SAMPLE_ROWS = 1_000;

/** Serves queries from stdin until it ends. @returns the exit code */
export async function queryWorker(argument: string): Promise<number> {
  const settings = WorkerSettings.parse(JSON.parse(argument));
  const writer = Deno.stdout.writable.getWriter();
  const reply = (message: WorkerReply) => writeJsonLine(writer, message);
  const [planner, first] = await Promise.all([Planner.open(), Run.open(settings)]);
  if (settings.arrow) await import("../../queries/answer/arrow.ts");
  const problem = confine(settings.library, {
    memoryBytes: settings.memory_bytes,
    fileBytes: settings.file_bytes_max,
    user: settings.user,
  });
  let run = first;
  await reply({ kind: "ready", ...(problem === null ? {} : { problem }) });
  for await (const line of readJsonLines(Deno.stdin.readable)) {
    const request = WorkerRequest.parse(line);
    switch (request.kind) {
      case "interrupt":
        planner.interrupt();
        run.interrupt();
        break;
      case "plan":
        planner.plan(request.request).then(
          (plan) => reply({ kind: "planned", plan }),
          (error) => reply({ kind: "refused", error: toWireError(error) }),
        ).catch(fail);
        break;
      case "query":
        run.answer(request.query).then(async (message) => {
          await reply(message);
          await new Promise((resolve) => setTimeout(resolve, REOPEN_DELAY_MS));
          await run[Symbol.asyncDispose]();
          run = await Run.open(settings); // ahead of the next query
          await reply({ kind: "ready" });
        }).catch(fail);
    }
  }
  return 0;
}

/** The agent starts another worker. */
function fail(error: unknown) {
  console.error(messageOf(error));
  Deno.exit(1);
}

/** One query in an engine of its own. */
class Run implements AsyncDisposable {
  private interrupted = false;
  private sqlMs = 0;

  private constructor(private readonly engine: Engine) {}

  static async open(settings: WorkerSettings): Promise<Run> {
    const engine = await Engine.open({
      threads: Math.min(THREADS_MAX, navigator.hardwareConcurrency),
      memoryBytes: BUFFERS_SHARE * settings.memory_bytes,
      spillFolder: settings.spill_folder,
    });
    const spillMib = Math.ceil(settings.spill_bytes_max / 2 ** 20);
    await engine.run(`SET max_temp_directory_size = '${spillMib}MiB'`);
    return new Run(engine);
  }

  interrupt() {
    this.interrupted = true;
    this.engine.interrupt();
  }

  async answer(query: WorkerQuery): Promise<WorkerReply> {
    try {
      switch (query.output.kind) {
        case "partials":
          return await this.ship(query, query.output);
        case "answer":
          return await this.write(query, query.output);
        case "lines":
          return await this.writeLines(query, query.output.sql);
      }
    } catch (error) {
      return { kind: "failed", error: toWireError(sqlError(error)) };
    }
  }

  /** Makes every partial, and takes it out: nothing leaves before its rows are counted. */
  private async ship(query: WorkerQuery, output: Partials): Promise<WorkerReply> {
    const { broadcast = [], partials, caps, text_bytes_max: textBytesMax } = output;
    const results = partials.map((_, i) => resultFile(query.result_folder, i));
    if (caps.rows_max > HELD_ROWS_MAX) await this.timed(() => this.engine.freeOrder());
    await this.timed(() => this.engine.lockDown([...query.files, ...results], query.views));
    for (const table of broadcast) {
      await this.timed(() => createBroadcastTable(this.engine, table));
    }
    const shipped: Shipped[] = [];
    for (const [i, { table, sql }] of partials.entries()) {
      const cap = caps.rows_max - sum(shipped, "rows");
      const file = resultFile(query.result_folder, i);
      // A partial may be called like the table that it reads.
      const exported = await this.take({ sql, made: `__partial_${i}`, cap, file, textBytesMax });
      if (exported.rows > cap) throw await this.tooMany(sql, caps);
      shipped.push({ table, ...exported });
      const bytes = sum(shipped, "bytes");
      if (bytes > caps.bytes_max) throw tooManyRows({ rows: sum(shipped, "rows"), bytes, caps });
    }
    return { kind: "partials", shipped, sql_ms: this.sqlMs };
  }

  /** Takes a result out, or one row more than `cap` of it. */
  private async take({ sql, made, cap, file, textBytesMax }: Taken): Promise<Exported> {
    const held = Math.min(cap, HELD_ROWS_MAX) + 1;
    const rows = await this.create(made, `SELECT * FROM (${sql}) LIMIT ${held}`);
    if (rows < held || cap <= HELD_ROWS_MAX) {
      return await this.timed(() => exportTable(this.engine, made, { file, rows, textBytesMax }));
    }
    const columns = await this.timed(() => columnsOf(this.engine, made));
    await this.timed(() => this.engine.run(`DROP TABLE ${made}`));
    const select = `SELECT * FROM (${sql}) LIMIT ${cap + 1}`;
    return await this.timed(() => exportSelect(this.engine, { select, columns, file }));
  }

  /** Answers here and now, as for a fleet of this host alone. */
  private async write(query: WorkerQuery, { sql, format }: Answer): Promise<WorkerReply> {
    const file = resultFile(query.result_folder, 0);
    await this.timed(() => this.engine.lockDown([...query.files, file], query.views));
    const columns = await this.timed(() => this.engine.describe(sql));
    const rows = await this.timed(() =>
      writeRows(this.engine, { from: `(${sql})`, columns }, format, fileTarget(file))
    );
    return { kind: "answer", rows, sql_ms: this.sqlMs };
  }

  /** Writes lines one after the other, and nothing between them. */
  private async writeLines(query: WorkerQuery, sql: string): Promise<WorkerReply> {
    const file = resultFile(query.result_folder, 0);
    await this.timed(() => this.engine.lockDown([...query.files, file], query.views));
    await this.create(ANSWER, sql);
    const { rows } = await this.timed(() =>
      this.engine.read(
        `SELECT piece, count(*), sum(octet_length(bytes)), count(*) FILTER (is_cut)
         FROM ${ANSWER} GROUP BY piece ORDER BY piece`,
      )
    );
    await this.timed(() =>
      this.engine.run(`COPY (SELECT bytes FROM ${ANSWER}) TO ${literal(file)} (FORMAT blob)`)
    );
    const pieces = rows.map((row) => {
      const [piece = 0, lines = 0, bytes = 0, cut = 0] = row.map(Number);
      return { piece, lines, bytes, cut };
    });
    return { kind: "lines", pieces, sql_ms: this.sqlMs };
  }

  /** What this host would ship without the cap. */
  private async tooMany(sql: string, caps: Partials["caps"]) {
    const rows = await this.count(`(${sql})`);
    const sample = await this.timed(() =>
      this.engine.read(
        `SELECT avg(octet_length(encode(sample::VARCHAR)))
         FROM (FROM (${sql}) LIMIT ${SAMPLE_ROWS}) AS sample`,
      )
    );
    return tooManyRows({ rows, bytes: Math.round(Number(sample.rows[0]?.[0]) * rows), caps });
  }

  private async count(from: string): Promise<number> {
    const { rows } = await this.timed(() => this.engine.read(`SELECT count(*) FROM ${from}`));
    return Number(rows[0]?.[0]);
  }

  private create(table: string, select: string): Promise<number> {
    return this.timed(() => this.engine.createTable(table, select));
  }

  /** An interrupt stops the running statement only: the following ones must not start. */
  private async timed<T>(work: () => Promise<T>): Promise<T> {
    if (this.interrupted) throw new LogvendError("cancelled", "Interrupted");
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.sqlMs += performance.now() - start;
    }
  }

  async [Symbol.asyncDispose]() {
    await this.engine[Symbol.asyncDispose]();
  }
}

type Partials = Extract<Output, { kind: "partials" }>;
type Answer = Extract<Output, { kind: "answer" }>;

interface Taken {
  sql: string;
  /** A free name for what is held. */
  made: string;
  cap: number;
  /** Where Parquet goes. */
  file: string;
  textBytesMax: number | undefined;
}

function tooManyRows(size: { rows: number; bytes: number; caps: Partials["caps"] }): LogvendError {
  const { rows, bytes, caps } = size;
  return new LogvendError(
    "too_many_rows",
    `Too many rows: about ${rows} (${formatBytes(bytes)}) from one host; the cap is ` +
      `${caps.rows_max} rows or ${formatBytes(caps.bytes_max)}`,
    { details: { rows, bytes } },
  );
}

function sum(tables: readonly Shipped[], key: "rows" | "bytes"): number {
  return tables.reduce((total, table) => total + table[key], 0);
}
