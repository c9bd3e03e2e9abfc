/** Whether a request may run here: a pinned key signed it, and it is meant for this host. */
import type { ZodType } from "zod";
import type { QueryClaims, TailClaims } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { matches, parseSelector } from "../../protocol/selector/selector.ts";
import { verifyClaims } from "../../protocol/signing/signature.ts";
import type { Verified } from "../../protocol/signing/signature.ts";

/** Claims that are made to hosts. */
type HostClaims = QueryClaims | TailClaims;

/** What requests are checked against. */
export interface Admission {
  /** What the selector of a request must match: labels, host and region. */
  labels: Readonly<Record<string, string>>;
  /** Pinned operator keys. */
  trust: readonly string[];
}

/** A request as it came. */
export interface SignedRequest<Kind extends HostClaims> {
  /** Of what must have been signed. */
  schema: ZodType<Kind>;
  request: string;
  token: string;
  sql: string;
  nowMs: number;
  /** Until when it may begin, where that is not when the signature expires. */
  holdsUntilMs?: (claims: Kind) => number;
  /** The id that was signed, of a piece of a question to the archive. It may be of other hosts. */
  pieceOf?: string | undefined;
}

/** @throws {LogvendError} with the reason that the asker is told */
export async function admitted<Kind extends HostClaims>(
  { labels, trust }: Admission,
  { request, pieceOf, ...signed }: SignedRequest<Kind>,
): Promise<Verified<Kind>> {
  const verified = await verifyClaims({ ...signed, trust });
  const { claims } = verified;
  if (claims.id !== (pieceOf ?? request)) {
    throw new LogvendError("not_permitted", "the signature is that of another request");
  }
  if (pieceOf !== undefined) {
    if (claims.kind === "query" && (claims.source ?? "live") !== "live") return verified;
    throw new LogvendError("not_permitted", "it was not signed for the archive");
  }
  if (!matches(parseSelector(claims.selector), labels)) {
    throw new LogvendError("not_permitted", `"${claims.selector}" does not select this host`);
  }
  return verified;
}
