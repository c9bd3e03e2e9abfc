/**
 * What is to be erased, for good: signed by an operator, told to hosts, and kept in archives as
 * `erasures/<id>.json`. Unlike a question it holds for as long as anybody may have such rows.
 */
import { z } from "zod";
import { ERASE_WHERE_MAX, EraseClaims } from "./claims.ts";
import { LogvendError } from "../errors.ts";
import { matches, matchesKnown, parseSelector } from "../selector/selector.ts";
import { verifyClaims } from "./signature.ts";

/** An erasure as it travels and is kept. */
export const ErasureRecord = z.object({
  /** SQL over the stream's columns; empty: every row of the range. */
  where: z.string().max(ERASE_WHERE_MAX),
  /** Signed claims. */
  token: z.string().max(8_192),
});
export type ErasureRecord = z.infer<typeof ErasureRecord>;

/** Where archives keep them. */
export const ERASURES_PREFIX = "erasures/";

/** The key of one of them. */
export function erasureKey(id: string): string {
  return `${ERASURES_PREFIX}${id}.json`;
}

/** One that a key has signed which may erase. */
export interface Erasure extends Omit<EraseClaims, "kind" | "sql_sha256" | "expires_at_ms"> {
  where: string;
  /** Who signed it. */
  operator: string;
  record: ErasureRecord;
}

/** Later than any signing: no clock decides whether a record holds, one that is behind neither. */
const ANY_MS = Number.MAX_SAFE_INTEGER;

/**
 * Checks a record, however old it is.
 * @param eraseTrust public keys that may erase
 * @throws {LogvendError} not_permitted
 */
export async function verifyErasure(
  record: ErasureRecord,
  eraseTrust: readonly string[],
): Promise<Erasure> {
  const { where, token } = record;
  const signed = { schema: EraseClaims, sql: where, token, trust: eraseTrust, nowMs: ANY_MS };
  const verified = await verifyClaims({ ...signed, holdsUntilMs: () => Infinity }).catch(
    (error) => {
      const unknown = /^key (\S+) is not pinned here$/.exec(error.message)?.[1];
      if (unknown === undefined) throw error;
      throw new LogvendError(
        "not_permitted",
        `key ${unknown} may not erase here: name it in trust_erase`,
      );
    },
  );
  const { kind: _, sql_sha256: _sha, expires_at_ms: _until, ...claims } = verified.claims;
  return { ...claims, where, operator: verified.publicKey, record };
}

/** For people and logs. */
export function erasureText({ stream, since, until, where }: Erasure): string {
  const condition = where === "" ? "" : ` AND (${where})`;
  return `ERASE FROM ${stream} WHERE ts >= '${since}' AND ts < '${until}'${condition}`;
}

/** Whether it concerns a host with these labels, host and region among them. */
export function concerns({ selector }: Pick<Erasure, "selector">, labels: Record<string, string>) {
  return matches(parseSelector(selector), labels);
}

/**
 * The same of what an archive knows of its chunks; null: other labels decide.
 */
export function concernsArchived(
  { selector }: Pick<Erasure, "selector">,
  place: { host: string; region: string },
): boolean | null {
  const { host, region } = place;
  return matchesKnown(parseSelector(selector), { host, region }) ?? null;
}
