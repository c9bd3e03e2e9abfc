/** The lines of a streamed answer, and its other shapes over HTTP. Field names are API contract. */
import { z } from "zod";
import { ErasureRecord } from "../../protocol/signing/erasure.ts";
import { Column, HostArchive, HostErasure, WireError } from "../../protocol/wire/messages.ts";
import { Coverage, Missing, Refusal, Unchecked } from "../fanout/coverage.ts";

const Mode = z.enum(["host_complete", "aggregate", "top_k", "rows", "catalog"]);

/** The range that the hosts' tables were cut to: half-open, UTC; null is unbounded. */
const AnswerRange = z.object({ since: z.string().nullable(), until: z.string().nullable() });

/** The hosts have been asked. */
const Accepted = z.object({
  type: z.literal("accepted"),
  query_id: z.string(),
  mode: Mode,
  asked: z.number().int(),
});

const ArchiveProgress = z.object({
  chunks: z.number().int(),
  chunks_total: z.number().int(),
  bytes: z.number().int(),
  bytes_total: z.number().int(),
});
export type ArchiveProgress = z.infer<typeof ArchiveProgress>;

const Progress = z.object({
  type: z.literal("progress"),
  answered: z.number().int(),
  asked: z.number().int(),
  /** By the hosts that have answered. */
  rows_scanned: z.number().int().default(0),
  /** How far the archive has been read, once it is known what of it has to be. */
  archive: ArchiveProgress.optional(),
});

/** The first rows of what the answer would be by now; only where they were asked for. */
const InterimEvent = z.object({
  type: z.literal("interim"),
  columns: z.array(Column),
  rows: z.array(z.record(z.string(), z.json())),
  answered: z.number().int(),
  asked: z.number().int(),
});
export type InterimEvent = z.infer<typeof InterimEvent>;

/**
 * A piece of the rows in the asked format; one after the other they make it up. The first one has the
 * columns.
 */
const Data = z.object({
  type: z.literal("data"),
  base64: z.string(),
  columns: z.array(Column).optional(),
});

/** The same, where the piece itself follows the line. */
const RawData = Data.omit({ base64: true }).extend({ length: z.number().int().nonnegative() });

/** Everything about an answer but its rows. */
export const AnswerEnd = z.object({
  type: z.literal("end"),
  query_id: z.string(),
  mode: Mode,
  range: AnswerRange,
  columns: z.array(Column),
  coverage: Coverage,
  elapsed_ms: z.number(),
});
export type AnswerEnd = z.infer<typeof AnswerEnd>;

/** What went wrong; `coverage` when it is that no host answered. */
export const ApiError = WireError.extend({ coverage: Coverage.optional() });
export type ApiError = z.infer<typeof ApiError>;

const OTHERS = [
  Accepted,
  Progress,
  InterimEvent,
  AnswerEnd,
  ApiError.extend({ type: z.literal("error") }),
] as const;

/** The last line is `end` or `error`; without one the answer is cut off. */
export const QueryEvent = z.discriminatedUnion("type", [Data, ...OTHERS]);
export type QueryEvent = z.infer<typeof QueryEvent>;

/** Events of the raw kind (event_stream.ts). */
export const RawQueryEvent = z.discriminatedUnion("type", [RawData, ...OTHERS]);
export type RawQueryEvent = z.infer<typeof RawQueryEvent>;

/** What a tail tells, as it happens: it has no end of its own, so without `error` it is cut off. */
export const TailEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    query_id: z.string(),
    stream: z.string(),
    answered: z.number().int(),
    missing: z.array(Missing),
  }),
  z.object({
    type: z.literal("lines"),
    lines: z.array(z.object({ ts: z.iso.datetime(), host: z.string(), line: z.string() })),
  }),
  z.object({ type: z.literal("joined"), hosts: z.array(z.string()) }),
  z.object({ type: z.literal("missing"), missing: z.array(Missing) }),
  /** Totals; also told now and then when nothing happens. */
  z.object({
    type: z.literal("left_out"),
    left_out: z.number().int(),
    unchecked: z.number().int(),
  }),
  ApiError.extend({ type: z.literal("error") }),
]);
export type TailEvent = z.infer<typeof TailEvent>;

/** The body of every response that is an error. */
export const ErrorBody = z.object({ error: ApiError });

/** What `explain` answers: what would run where, and which hosts would refuse; nothing did run. */
export const Explanation = z.object({
  query_id: z.string(),
  mode: Mode,
  reason: z.string().nullable(),
  range: AnswerRange,
  columns: z.array(Column),
  hosts: z.array(z.string()),
  /** Hosts that hold nothing of what is asked for, and are not asked. */
  pruned: z.array(z.string()).default([]),
  missing: z.array(Missing),
  /** Of the hosts: those that would refuse it. */
  refused: z.array(Refusal).default([]),
  /** Of the hosts: those that did not say whether they would. */
  unchecked: z.array(Unchecked).default([]),
  /** What the hosts will read, as far as they have said what they hold. */
  estimate: z.object({
    chunks: z.number().int(),
    rows: z.number().int(),
    bytes: z.number().int(),
    /** Hosts that may read more. */
    unknown_hosts: z.number().int(),
  }),
  /** What would be read in the archive, at most; none: nothing. */
  archive: z.object({
    objects: z.number().int(),
    /** How many there are in the range, of the selected hosts. */
    looked: z.number().int(),
    requests: z.number().int(),
    bytes: z.number().int(),
    /** At the configured prices. */
    dollars: z.number(),
    /** Regions that nobody could say it for, and why. */
    unread: z.array(z.object({ region: z.string(), reason: z.string() })),
  }).optional(),
  partials: z.array(z.object({ table: z.string(), sql: z.string() })),
  merge_sql: z.string(),
});
export type Explanation = z.infer<typeof Explanation>;

/** One host of `GET /v1/hosts`. */
export const HostRecord = z.object({
  host: z.string(),
  region: z.string(),
  labels: z.record(z.string(), z.string()),
  state: z.enum(["online", "offline"]),
  seen_at: z.iso.datetime().nullable(),
  /** Since when it is expected no more. */
  retired_at: z.iso.datetime().nullable(),
  version: z.string(),
  streams: z.array(z.string()),
  lines_per_s: z.number().nullable(),
  behind_bytes: z.number().nullable(),
  behind_ms: z.number().nullable(),
  rejects: z.number().nullable(),
  stored_bytes: z.number().nullable(),
  /** Null without an archive. */
  archive: HostArchive.nullable(),
});
export type HostRecord = z.infer<typeof HostRecord>;

export const HostList = z.object({ hosts: z.array(HostRecord) });

/** How an erasure goes on the hosts that it concerns: one of `GET /v1/erasures`. */
export const ErasureStatus = z.object({
  id: z.uuid(),
  operator: z.string(),
  issued_at: z.iso.datetime(),
  sql: z.string(),
  selector: z.string(),
  record: ErasureRecord,
  hosts: z.array(
    HostErasure.omit({ id: true }).extend({
      host: z.string(),
      region: z.string(),
      online: z.boolean(),
      /** `waiting`: it has not been heard of it; `too_old`: its version knows no erasures. */
      state: z.enum([...HostErasure.shape.state.options, "waiting", "too_old"]),
    }),
  ),
});
export type ErasureStatus = z.infer<typeof ErasureStatus>;

export const ErasureList = z.object({ erasures: z.array(ErasureStatus) });
