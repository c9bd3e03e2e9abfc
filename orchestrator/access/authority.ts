/** Decides whose questions the orchestrator takes: those that a trusted key signed, each once. */
import type { ZodType } from "zod";
import { CLAIMS_LIFETIME_MAX_MS } from "../../protocol/signing/claims.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { verifyClaims } from "../../protocol/signing/signature.ts";
import type { Claims, Verified } from "../../protocol/signing/signature.ts";

/** Ids of the last 5 minutes that are remembered; beyond it questions are refused, not forgotten. */
const REMEMBERED_MAX = 100_000;

export interface AuthorityOptions {
  /** Public keys. */
  trust: readonly string[];
  now: () => number;
}

export class Authority {
  /** Ids that were seen, oldest first, with the time from which they are expired anyway. */
  private readonly seen = new Map<string, number>();

  constructor(private readonly options: AuthorityOptions) {}

  /** @throws {LogvendError} not_permitted */
  async check<Kind extends Claims>(
    schema: ZodType<Kind>,
    signed: { sql: string; token: string },
  ): Promise<Verified<Kind>> {
    const nowMs = this.options.now();
    let verified: Verified<Kind>;
    try {
      verified = await verifyClaims({ ...signed, schema, trust: this.options.trust, nowMs });
    } catch (cause) {
      throw refusal(messageOf(cause), cause);
    }
    const { id } = verified.claims;
    this.forget(nowMs);
    if (this.seen.has(id)) throw refusal("this request was made before: sign a new one");
    if (this.seen.size >= REMEMBERED_MAX) throw refusal("too many requests in 5 minutes");
    this.seen.set(id, nowMs + 2 * CLAIMS_LIFETIME_MAX_MS);
    return verified;
  }

  private forget(nowMs: number) {
    for (const [id, untilMs] of this.seen) {
      if (untilMs > nowMs) return;
      this.seen.delete(id);
    }
  }
}

function refusal(reason: string, cause?: unknown): LogvendError {
  return new LogvendError("not_permitted", `The orchestrator refuses: ${reason}`, { cause });
}
