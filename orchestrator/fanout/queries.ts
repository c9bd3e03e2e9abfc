/** Takes questions of trusted operators, and remembers each with what came of it. */
import { signedBroadcast } from "../../protocol/wire/broadcast.ts";
import { CancelClaims, QueryClaims, ResumeClaims } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
import type { Authority } from "../access/authority.ts";
import type { QueryRecord, QueryTable, SignedQuery } from "../state/queries.ts";
import type { Answer } from "./answer.ts";
import type { Explanation } from "./explanation.ts";
import type { AskOptions, Fanout } from "./fanout.ts";
import { queryIdOf } from "./query_id.ts";
import { UnansweredError } from "./unanswered.ts";

/** As it comes from outside. */
export interface Question {
  sql: string;
  /** Signed claims. */
  token: string;
  /** The asker's own tables, packed (protocol/wire/broadcast.ts). */
  broadcast?: string | undefined;
}

export interface QueriesParts {
  authority: Authority;
  fanout: Fanout;
  table: QueryTable;
  now: () => number;
}

export class Queries {
  /** What cancels each query that was asked and is not answered. */
  private readonly running = new Map<string, AbortController>();

  constructor(private readonly parts: QueriesParts) {}

  /** @throws {LogvendError} not_permitted, bad_sql or unavailable */
  async explain(question: Question): Promise<Explanation> {
    const { claims, publicKey: operator } = await this.parts.authority.check(QueryClaims, question);
    const tables = await signedBroadcast(claims, question.broadcast);
    return await this.parts.fanout.explain({ ...question, claims, operator, tables });
  }

  /**
   * Asks the fleet. An answer may lack hosts: its coverage names them.
   * @throws {LogvendError} not_permitted, bad_sql, too_many_rows, cancelled, timeout or unavailable
   */
  async ask(question: Question, options: AskOptions): Promise<Answer> {
    const { authority, fanout, table, now } = this.parts;
    const startedMs = performance.now();
    const { token } = question;
    const { claims, publicKey } = await authority.check(QueryClaims, question);
    if (claims.explain === true) {
      throw new LogvendError("not_permitted", "It was signed to be explained, not to be run");
    }
    const tables = await signedBroadcast(claims, question.broadcast);
    const record = { ...startedRecord(question.sql, { claims, publicKey }, now()), token };
    table.save(record);
    const stop = new AbortController();
    this.running.set(claims.id, stop);
    const end = (outcome: Partial<QueryRecord>) => {
      this.running.delete(claims.id);
      const elapsed_ms = Math.round(performance.now() - startedMs);
      table.save({ ...record, ...outcome, elapsed_ms });
    };
    try {
      const signal = AbortSignal.any([options.signal, stop.signal]);
      const checked = { ...question, claims, operator: publicKey, tables };
      const answer = await fanout.ask(checked, { ...options, signal });
      answer.settled.then(() => end(outcomeOf(answer)), (thrown) => end(failureOf(thrown)));
      return answer;
    } catch (thrown) {
      end(failureOf(thrown));
      throw thrown;
    }
  }

  /** The newest ones, those that run first. */
  list(limit: number): QueryRecord[] {
    return this.parts.table.list(limit);
  }

  /** The query of an id, its beginning or its short name. @throws {LogvendError} usage */
  find(id: string): QueryRecord {
    return this.parts.table.find(id);
  }

  /** What the key that signed `token`, for what names it, has asked before. @throws {LogvendError} */
  async signedBefore({ id, token }: { id: string; token: string }): Promise<SignedQuery> {
    const { publicKey } = await this.parts.authority.check(ResumeClaims, { sql: id, token });
    const record = this.parts.table.findSigned(id);
    if (record.operator === publicKey) return record;
    throw new LogvendError(
      "not_permitted",
      `${record.query_id} was asked with another key, ${record.operator}: ask it anew`,
    );
  }

  /**
   * Ends a query on every host; `token` is signed for its whole id. The asker is told who did it.
   * @throws {LogvendError} not_permitted, or usage when it does not run
   */
  async cancel({ id, token }: { id: string; token: string }): Promise<void> {
    const { publicKey } = await this.parts.authority.check(CancelClaims, { sql: id, token });
    const stop = this.running.get(id);
    if (stop === undefined) {
      const { query_id, state } = this.find(id);
      throw new LogvendError("usage", `${query_id} does not run: it is ${state}`);
    }
    stop.abort(new LogvendError("cancelled", `The query was cancelled by ${publicKey}`));
  }
}

function startedRecord(
  sql: string,
  { claims, publicKey }: { claims: QueryClaims; publicKey: string },
  nowMs: number,
): QueryRecord {
  return {
    query_id: queryIdOf(claims.id),
    id: claims.id,
    operator: publicKey,
    sql,
    selector: claims.selector,
    started_at: new Date(nowMs).toISOString(),
    asked: askedOf(claims),
    state: "running",
    mode: null,
    range: null,
    elapsed_ms: null,
    rows_shipped: null,
    bytes_shipped: null,
    coverage: null,
    error: null,
  };
}

function askedOf({ range, source = "live", now, limits, broadcast_sha256 }: QueryClaims) {
  return { range, source, now, limits, has_tables: broadcast_sha256 !== undefined };
}

function outcomeOf({ complete, facts }: Answer): Partial<QueryRecord> {
  const { coverage, mode, range, rowsShipped, bytesShipped } = facts;
  return {
    state: complete ? "complete" : "partial",
    mode,
    range,
    rows_shipped: rowsShipped,
    bytes_shipped: bytesShipped,
    coverage,
  };
}

function failureOf(thrown: unknown): Partial<QueryRecord> {
  const { code, message } = toWireError(thrown);
  return {
    state: code === "cancelled" ? "cancelled" : "failed",
    error: { code, message },
    coverage: thrown instanceof UnansweredError ? thrown.coverage : null,
  };
}
