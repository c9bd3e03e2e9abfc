/** What an operator signs when asking: the SQL (by hash), who is asked, the range, now, limits. */
import { z } from "zod";
import { FleetName, StreamName } from "../names.ts";

/** A request outlives its signing by at most this; agents remember ids for as long. */
export const CLAIMS_LIFETIME_MAX_MS = 5 * 60_000;

/** How far the clocks of operator and agent may differ. */
export const CLOCK_SKEW_MAX_MS = 30_000;

/** With its signature it must fit into one MQTT message (envelope.ts), beside everything else. */
export const SQL_BYTES_MAX = 64 * 1024;

/** Of packed tables (broadcast.ts): beside SQL of the allowed length they must fit as well. */
export const BROADCAST_CHARACTERS_MAX = 40 * 1024;

/** Nobody reads for longer: a tail that somebody forgot ends. */
export const TAIL_LASTS_MAX_MS = 12 * 3_600_000;

/** More lines a second are no tail but an export: a query is cheaper. */
export const TAIL_RATE_MAX = 10_000;

const Instant = z.iso.datetime();

/** Half-open range over `ts`, UTC. `implied`: the default range, dropped when WHERE bounds ts. */
export const Range = z.object({
  since: Instant.nullable(),
  until: Instant.nullable(),
  implied: z.boolean(),
});
export type Range = z.infer<typeof Range>;

/** What a query may cost: signed, so that nobody on the way can raise it. */
export const Limits = z.object({
  /** Wall-clock time from the request to the answer. */
  timeout_ms: z.number().int().min(1).max(3_600_000),
  /** Rows shipped by all hosts together when the query cannot be split. */
  rows_max: z.number().int().min(1).max(100_000_000),
  /** Bytes shipped by all hosts together when the query cannot be split. */
  bytes_max: z.number().int().min(1).max(1e12),
});
export type Limits = z.infer<typeof Limits>;

/**
 * Where rows may come from: what hosts hold, what is archived, or both, each row once. In a token
 * without it: what hosts hold.
 */
export const Source = z.enum(["live", "archive", "auto"]);
export type Source = z.infer<typeof Source>;

/** The payload of the token. */
export const QueryClaims = z.object({
  kind: z.literal("query"),
  /** Unique: agents refuse an id they have seen. */
  id: z.uuid(),
  /** Lower-case hex SHA-256 of the UTF-8 SQL that travels beside the signature. */
  sql_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of the packed tables (broadcast.ts) that travel with the query, where there are any. */
  broadcast_sha256: z.string().regex(/^[0-9a-f]{64}$/).optional(),
  /** Selector text (selector.ts); empty asks every host. Agents check that they match. */
  selector: z.string().max(4_096),
  range: Range,
  source: Source.optional(),
  /** The literal that now(), today() and the like stand for, on every host. */
  now: Instant,
  limits: Limits,
  /** It is to run even where it had to be killed before. */
  force: z.boolean().optional(),
  /** It may be explained, and not run. */
  explain: z.boolean().optional(),
  issued_at_ms: z.number().int(),
  expires_at_ms: z.number().int(),
});
export type QueryClaims = z.infer<typeof QueryClaims>;

/** The payload of the token that cancels a query: `sql_sha256` is that of its id. */
export const CancelClaims = QueryClaims.pick({
  id: true,
  sql_sha256: true,
  issued_at_ms: true,
  expires_at_ms: true,
}).extend({ kind: z.literal("cancel") });
export type CancelClaims = z.infer<typeof CancelClaims>;

/** The payload of the token that shows what one has signed before: `sql_sha256` is that of its name. */
export const ResumeClaims = CancelClaims.extend({ kind: z.literal("resume") });
export type ResumeClaims = z.infer<typeof ResumeClaims>;

/** The payload of the token that retires hosts: `sql_sha256` is that of their names, one a line. */
export const RetireClaims = CancelClaims.extend({ kind: z.literal("retire") });
export type RetireClaims = z.infer<typeof RetireClaims>;

/** Longer conditions are no use, and would not fit into a record that is kept for years. */
export const ERASE_WHERE_MAX = 8_192;

/** The payload of the token of an erasure: `sql_sha256` is that of its condition (erasure.ts). */
export const EraseClaims = QueryClaims.pick({
  id: true,
  sql_sha256: true,
  selector: true,
  now: true,
  issued_at_ms: true,
  expires_at_ms: true,
}).extend({
  kind: z.literal("erase"),
  /** Whose hosts it is for; none was named before 2026-11-30 (erasure.ts). */
  fleet: FleetName.optional(),
  stream: StreamName,
  /** Half-open over `ts`. */
  since: Instant,
  until: Instant,
  /** Those that the condition names, as the fleet knows them. */
  columns: z.array(z.object({ name: z.string().min(1).max(200), type: z.string().max(32) }))
    .max(50),
});
export type EraseClaims = z.infer<typeof EraseClaims>;

/** The payload of the token of a tail: `sql_sha256` is that of its condition. */
export const TailClaims = QueryClaims.pick({
  id: true,
  sql_sha256: true,
  selector: true,
  issued_at_ms: true,
  expires_at_ms: true,
}).extend({
  kind: z.literal("tail"),
  stream: StreamName,
  /** Lines a second that each host may send at most. */
  rate_max: z.number().int().min(1).max(TAIL_RATE_MAX),
  /** Until when hosts may begin it that come later; none: until the signature expires. */
  joins_until_ms: z.number().int().optional(),
});
export type TailClaims = z.infer<typeof TailClaims>;
