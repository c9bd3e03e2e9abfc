/** Builds what an operator signs with a question, and signs it. */
import { CLAIMS_LIFETIME_MAX_MS, SQL_BYTES_MAX } from "../../protocol/claims.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import type { Limits, QueryClaims, Range } from "../../protocol/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { parseSelector } from "../../protocol/selector.ts";
import { signClaims } from "../../protocol/signature.ts";
import type { OperatorKey } from "../../protocol/signature.ts";

export interface SignRequest {
  sql: string;
  /** Empty asks every host. */
  selector: string;
  range: Range;
  limits: Limits;
  key: OperatorKey;
  nowMs: number;
}

export interface SignedQuestion {
  sql: string;
  token: string;
  claims: QueryClaims;
}

/** @throws {LogvendError} usage, for a selector or SQL that nobody would take */
export async function signQuestion(request: SignRequest): Promise<SignedQuestion> {
  const { sql, selector, range, limits, key, nowMs } = request;
  parseSelector(selector);
  const bytes = new TextEncoder().encode(sql).length;
  if (bytes > SQL_BYTES_MAX) {
    throw new LogvendError("usage", `The SQL has ${bytes} bytes; ${SQL_BYTES_MAX} at most`);
  }
  const claims: QueryClaims = {
    kind: "query",
    id: crypto.randomUUID(),
    sql_sha256: sha256Hex(sql),
    selector,
    range,
    now: new Date(nowMs).toISOString(),
    limits,
    issued_at_ms: nowMs,
    expires_at_ms: nowMs + CLAIMS_LIFETIME_MAX_MS,
  };
  return { sql, token: await signClaims(claims, key), claims };
}
