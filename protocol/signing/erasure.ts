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

/** Who is believed. */
export interface EraseTrust {
  /** The fleet that it has to be signed for (fleetOf). */
  fleet: string;
  /** Public keys that may erase. */
  eraseTrust: readonly string[];
}

/** A configuration's fleet: signed erasures name it. */
export function fleetOf(config: { fleet?: string | undefined; topic_prefix: string }): string {
  return config.fleet ?? config.topic_prefix;
}

/**
 * Until then nobody named a fleet. What was signed before holds wherever its key may erase, so that nothing
 * comes back that was erased; of what is signed later, what names no fleet holds nowhere.
 */
const FLEETS_NAMED_SINCE_MS = Date.UTC(2026, 10, 30);

/** Later than any signing: no clock decides whether a record holds, one that is behind neither. */
const ANY_MS = Number.MAX_SAFE_INTEGER;

/**
 * Checks a record, however old it is.
 * @throws {LogvendError} not_permitted
 */
export async function verifyErasure(
  record: ErasureRecord,
  { fleet, eraseTrust }: EraseTrust,
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
  checkFleet(verified.claims, fleet);
  const { kind: _, sql_sha256: _sha, expires_at_ms: _until, ...claims } = verified.claims;
  return { ...claims, where, operator: verified.publicKey, record };
}

/** @throws {LogvendError} not_permitted: what was signed for one fleet erases nothing of another */
function checkFleet({ fleet: named, issued_at_ms: issuedMs }: EraseClaims, fleet: string) {
  if (named === fleet || (named === undefined && issuedMs < FLEETS_NAMED_SINCE_MS)) return;
  throw new LogvendError(
    "not_permitted",
    named === undefined
      ? "it was signed for no fleet: sign it with a newer logvend"
      : `it was signed for the fleet "${named}", and this is "${fleet}" ` +
        "(fleet in the configuration, else topic_prefix)",
  );
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
