/** Builds what an operator signs with a question, and signs it. */
import { broadcastHash } from "../../protocol/wire/broadcast.ts";
import {
  CLAIMS_LIFETIME_MAX_MS,
  ERASE_WHERE_MAX,
  EraseClaims,
  SQL_BYTES_MAX,
  TAIL_LASTS_MAX_MS,
} from "../../protocol/signing/claims.ts";
import { ErasureRecord } from "../../protocol/signing/erasure.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import type {
  Limits,
  QueryClaims,
  Range,
  Source,
  TailClaims,
} from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { parseSelector } from "../../protocol/selector/selector.ts";
import { signClaims } from "../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../protocol/signing/signature.ts";

export interface SignRequest {
  sql: string;
  /** Empty asks every host. */
  selector: string;
  range: Range;
  /** @default what hosts hold */
  source?: Source | undefined;
  limits: Limits;
  key: OperatorKey;
  nowMs: number;
  /** What now() stands for, ISO 8601. @default nowMs */
  now?: string | undefined;
  /** Packed tables (protocol/wire/broadcast.ts). */
  broadcast?: string | undefined;
  /** Run it where it had to be killed before. */
  force?: boolean | undefined;
  /** Let it be explained, and not run. */
  explain?: boolean | undefined;
}

export interface SignedQuestion {
  sql: string;
  token: string;
  broadcast?: string | undefined;
  claims: QueryClaims;
}

/** @throws {LogvendError} usage, for a selector or SQL that nobody would take */
export async function signQuestion(request: SignRequest): Promise<SignedQuestion> {
  const { sql, selector, range, source, limits, key, nowMs, broadcast } = request;
  const { force = false, explain = false } = request;
  const claims: QueryClaims = {
    kind: "query",
    ...signedAlways({ sql, selector, nowMs }),
    ...broadcastHash(broadcast),
    range,
    ...(source === undefined ? {} : { source }),
    now: request.now ?? new Date(nowMs).toISOString(),
    limits,
    ...(force ? { force } : {}),
    ...(explain ? { explain } : {}),
  };
  return { sql, token: await signClaims(claims, key), claims, broadcast };
}

/** What is signed to tail a stream. */
export interface TailSignRequest {
  condition: string;
  stream: string;
  /** Empty asks every host. */
  selector: string;
  /** Lines a second. */
  rate: number;
  key: OperatorKey;
  nowMs: number;
}

/** Returns the token. @throws {LogvendError} usage, for what nobody would take */
export async function signTail(request: TailSignRequest): Promise<string> {
  const { condition: sql, stream, selector, rate, key, nowMs } = request;
  const claims: TailClaims = {
    kind: "tail",
    ...signedAlways({ sql, selector, nowMs }),
    stream,
    rate_max: rate,
    joins_until_ms: nowMs + TAIL_LASTS_MAX_MS,
  };
  return await signClaims(claims, key);
}

/** What is signed to erase rows for good. */
export interface EraseSignRequest
  extends Pick<EraseClaims, "stream" | "since" | "until" | "columns"> {
  /** Whose hosts it is for (protocol/signing/erasure.ts). */
  fleet: string;
  /** Empty: every row of the range. */
  where: string;
  /** Empty: every host. */
  selector: string;
  key: OperatorKey;
  nowMs: number;
}

/** @throws {LogvendError} usage, for what nobody would take */
export async function signErasure(
  { where, fleet, stream, since, until, columns, selector, key, nowMs }: EraseSignRequest,
): Promise<{ id: string; record: ErasureRecord }> {
  if (where.length > ERASE_WHERE_MAX) {
    throw new LogvendError("usage", `--where is longer than ${ERASE_WHERE_MAX} characters`);
  }
  const claims: EraseClaims = {
    kind: "erase",
    ...signedAlways({ sql: where, selector, nowMs }),
    now: new Date(nowMs).toISOString(),
    fleet,
    stream,
    since,
    until,
    columns,
  };
  const record = ErasureRecord.safeParse({ where, token: await signClaims(claims, key) });
  if (record.success && EraseClaims.safeParse(claims).success) {
    return { id: claims.id, record: record.data };
  }
  const text = "The erasure names too many hosts or columns for one: make several of it";
  throw new LogvendError("usage", text);
}

/**
 * Signs the cancelling of a query (`text`: its id), the retiring of hosts (a name a line), or to be shown
 * what one has signed before (its name).
 */
export async function signAction(
  kind: "cancel" | "retire" | "resume",
  text: string,
  { key, nowMs }: { key: OperatorKey; nowMs: number },
): Promise<string> {
  const { selector: _, ...signed } = signedAlways({ sql: text, selector: "", nowMs });
  return await signClaims({ kind, ...signed }, key);
}

function signedAlways({ sql, selector, nowMs }: { sql: string; selector: string; nowMs: number }) {
  parseSelector(selector);
  const bytes = new TextEncoder().encode(sql).length;
  if (bytes > SQL_BYTES_MAX) {
    throw new LogvendError("usage", `The SQL has ${bytes} bytes; ${SQL_BYTES_MAX} at most`);
  }
  return {
    id: crypto.randomUUID(),
    sql_sha256: sha256Hex(sql),
    selector,
    issued_at_ms: nowMs,
    expires_at_ms: nowMs + CLAIMS_LIFETIME_MAX_MS,
  };
}
