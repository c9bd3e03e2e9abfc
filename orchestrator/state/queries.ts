/** Every query that was asked, kept over restarts: who asked what of whom, and what came of it. */
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { Limits, Range, Source } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { Coverage } from "../fanout/coverage.ts";
import { namedId } from "../fanout/query_id.ts";

/** Older ones are forgotten. */
const KEPT_MAX = 10_000;
/** Kept queries are counted once in so many. */
const PRUNE_EVERY = 100;

/** `interrupted`: the orchestrator ended while it ran. */
export const QueryState = z.enum([
  "running",
  "complete",
  "partial",
  "failed",
  "cancelled",
  "interrupted",
]);
export type QueryState = z.infer<typeof QueryState>;

/** One query. What is not known (yet) is null. */
export const QueryRecord = z.object({
  /** For people: q-7f3a2c. */
  query_id: z.string(),
  /** What the operator signed. */
  id: z.uuid(),
  /** The operator's public key. */
  operator: z.string(),
  sql: z.string(),
  /** Empty: every host. */
  selector: z.string(),
  started_at: z.iso.datetime(),
  /** What else was signed; none: it was written by an older version. */
  asked: z.object({
    range: Range,
    source: Source,
    now: z.iso.datetime(),
    limits: Limits,
    /** Whether tables were sent along. */
    has_tables: z.boolean(),
  }).optional(),
  state: QueryState,
  mode: z.string().nullable(),
  /** What the hosts' tables were cut to. */
  range: z.object({ since: z.string().nullable(), until: z.string().nullable() }).nullable(),
  elapsed_ms: z.number().nullable(),
  /** Rows that hosts shipped, and the bytes of their messages. */
  rows_shipped: z.number().int().nullable(),
  bytes_shipped: z.number().int().nullable(),
  coverage: Coverage.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type QueryRecord = z.infer<typeof QueryRecord>;

/** With the signature, which is for its operator alone: for some minutes others could ask with it. */
const SignedQuery = QueryRecord.extend({ token: z.string().optional() });
export type SignedQuery = z.infer<typeof SignedQuery>;

export class QueryTable {
  private untilPrune = 0;

  /** What still ran when the last orchestrator ended was interrupted. */
  constructor(private readonly database: DatabaseSync) {
    const running = this.records(SignedQuery, "WHERE state = 'running'");
    for (const record of running) this.save({ ...record, state: "interrupted" });
  }

  /** Writes one, in place of what was written of it before. */
  save(record: SignedQuery): void {
    this.database.prepare(
      `INSERT OR REPLACE INTO queries (id, started_ms, state, record)
       VALUES ($id, $started_ms, $state, $record)`,
    ).run({
      id: record.id,
      started_ms: Date.parse(record.started_at),
      state: record.state,
      record: JSON.stringify(record),
    });
    if (this.untilPrune-- > 0) return;
    this.untilPrune = PRUNE_EVERY;
    this.database.prepare(
      `DELETE FROM queries WHERE started_ms <
         (SELECT started_ms FROM queries ORDER BY started_ms DESC LIMIT 1 OFFSET ${KEPT_MAX})`,
    ).run();
  }

  /** Running ones first, then the newest. */
  list(limit: number): QueryRecord[] {
    return this.records(QueryRecord, "ORDER BY state <> 'running', started_ms DESC LIMIT ?", limit);
  }

  /** The one of an id, of its beginning, or of the short name q-7f3a2c. @throws {LogvendError} usage */
  find(text: string): QueryRecord {
    return this.named(QueryRecord, text);
  }

  /** The same with the signature; none: an older version wrote it, or it is no question. */
  findSigned(text: string): SignedQuery {
    return this.named(SignedQuery, text);
  }

  private named<T extends QueryRecord>(schema: z.ZodType<T>, text: string): T {
    const prefix = namedId(text);
    const within = "WHERE id >= ? AND id < ? ORDER BY started_ms DESC";
    const found = prefix === null ? [] : this.records(schema, within, prefix, `${prefix}g`);
    const [first, second] = found;
    if (first === undefined) {
      throw new LogvendError("usage", `There is no query ${text} (logvend queries lists them)`);
    }
    if (second !== undefined) {
      const ids = found.slice(0, 3).map(({ id }) => id).join(", ");
      throw new LogvendError("usage", `${text} could be ${ids}: write more of it`);
    }
    return first;
  }

  private records<T>(
    schema: z.ZodType<T>,
    rest: string,
    ...values: (string | number)[]
  ): T[] {
    const rows = this.database.prepare(`SELECT record FROM queries ${rest}`).all(...values);
    return rows.flatMap(({ record }) => {
      const parsed = schema.safeParse(JSON.parse(String(record)));
      return parsed.success ? [parsed.data] : []; // of another version
    });
  }
}
