/**
 * `--resume`: signs again what one's own key has signed before. An orchestrator keeps it, and could show
 * something else: only what the first signature says is signed, however old that is.
 */
import { z } from "zod";
import { QueryClaims } from "../../protocol/signing/claims.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { verifyClaims } from "../../protocol/signing/signature.ts";
import { broadcastHash } from "../../protocol/wire/broadcast.ts";
import { signQuestion } from "../access/sign.ts";
import type { SignedQuestion } from "../access/sign.ts";
import { isNamed } from "../fanout/query_id.ts";
import { broadcastOf, keyOf, limitsOf } from "./question.ts";
import type { QuestionOptions } from "./question.ts";

/** What is shown as a question that was asked before. */
export interface ShownQuestion {
  /** What the user calls it. */
  name: string;
  sql: string;
  token: string;
}

/** What a newer version may have signed besides cannot be signed again: it may say less. */
const KnownClaims = z.strictObject(QueryClaims.shape);

/** Later than any signing: no clock decides what was signed. */
const ANY_MS = Number.MAX_SAFE_INTEGER;

/** The same question, as it was, or with more time. @throws {LogvendError} not_permitted, usage */
export async function signedAsBefore(
  shown: ShownQuestion,
  options: QuestionOptions,
  nowMs: number,
): Promise<SignedQuestion> {
  const { name, sql } = shown;
  const key = await keyOf(options);
  const claims = await claimsOf(shown, key.publicKey);
  const { selector, range, source, now, broadcast_sha256: tables } = claims;
  const broadcast = await broadcastOf(options);
  if (broadcastHash(broadcast).broadcast_sha256 !== tables) {
    const what = tables === undefined
      ? "without --with"
      : broadcast === undefined
      ? "with tables: give the same --with again"
      : "with other tables than these";
    throw new LogvendError("usage", `${name} was asked ${what}`);
  }
  const timeoutMs = Math.max(claims.limits.timeout_ms, limitsOf(options).timeout_ms);
  const limits = { ...claims.limits, timeout_ms: timeoutMs };
  const { explain, force = claims.force } = options;
  return await signQuestion({
    ...{ sql, selector, range, source, limits, key, nowMs, now, broadcast, force, explain },
  });
}

/** @throws {LogvendError} not_permitted, where this key has not signed that as what it is called */
async function claimsOf({ name, sql, token }: ShownQuestion, publicKey: string) {
  try {
    const { claims } = await verifyClaims({
      ...{ schema: KnownClaims, sql, token, trust: [publicKey], nowMs: ANY_MS },
      holdsUntilMs: () => Infinity,
    });
    if (!isNamed(name, claims.id)) throw new Error(`it has shown ${claims.id}`);
    if (claims.explain === true) throw new Error("it was signed to be explained, not to be run");
    return claims;
  } catch (cause) {
    const reason = messageOf(cause);
    throw new LogvendError(
      "not_permitted",
      `The orchestrator does not show ${name} as your key has signed it: ${reason}. ` +
        "Nothing is signed again; ask it anew",
      { cause },
    );
  }
}
