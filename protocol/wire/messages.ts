/** The bodies of the MQTT messages between orchestrator and agent. Field names are wire contract. */
import { z } from "zod";
import { ArchivePiece, CHUNKS_OF_PIECE_MAX } from "../archive/archive_piece.ts";
import { BROADCAST_CHARACTERS_MAX, SQL_BYTES_MAX } from "../signing/claims.ts";
import { HourSpan } from "./hour_spans.ts";
import { ErasureRecord } from "../signing/erasure.ts";
import { HostName, Labels, RegionName, StreamName } from "../names.ts";

const RequestId = z.uuid();

/** A column as DuckDB names its type, e.g. `{ name: "requests", type: "BIGINT" }`. */
export const Column = z.object({ name: z.string(), type: z.string().max(4_096) });
export type Column = z.infer<typeof Column>;

/** Of a stored table. Others write its type into their SQL: nothing but the types there are. */
const TableColumn = z.object({
  name: z.string().min(1).max(200).regex(/^[^\0]*$/),
  type: z.string().regex(/^(VARCHAR|BLOB|BIGINT|INTEGER|SMALLINT|DOUBLE|BOOLEAN|TIMESTAMP)$/),
});

/** A table that SQL may name. */
export const Table = z.object({
  name: z.string().min(1).max(200),
  columns: z.array(TableColumn).max(1_000),
});
export type Table = z.infer<typeof Table>;

/** Commands, on `a/{host}/cmd`; the envelope's `type` is the `kind` here. */
export const QueryCommand = z.object({
  request: RequestId,
  orchestrator: HostName,
  sql: z.string().max(SQL_BYTES_MAX),
  /** Signed claims (signature.ts). */
  token: z.string().max(8_192),
  plan_version: z.number().int(),
  /**
   * The tables that it reads, with the columns that the fleet knows: all sides plan alike. None from
   * orchestrators of a plan version before 3, which are refused.
   */
  tables: z.array(Table).max(64).default([]),
  /** The asker's own tables, packed (broadcast.ts). */
  broadcast: z.string().max(BROADCAST_CHARACTERS_MAX).optional(),
  /** A piece of a question to the archive; `request` is then that of the piece. */
  archive: ArchivePiece.optional(),
  /**
   * Whether an answer may lack archived chunks that cannot be read, as its coverage says. Orchestrators
   * of older versions do not look there: for them it is an error.
   */
  may_lack: z.boolean().default(false),
});
export type QueryCommand = z.infer<typeof QueryCommand>;

/**
 * Asks whether a host would run that query. It is checked and acknowledged like one, uses its
 * signature up, and ends with an answer without tables, or with the refusal.
 */
export const ExplainCommand = QueryCommand.omit({ archive: true });
export type ExplainCommand = z.infer<typeof ExplainCommand>;

/** Cancels a running query. It is not signed: it names an unguessable id and can only stop it. */
export const CancelCommand = z.object({ request: RequestId });
export type CancelCommand = z.infer<typeof CancelCommand>;

/** Acknowledges result message `seq` and all before it: the agent's flow control. */
export const ResultAckCommand = z.object({ request: RequestId, seq: z.number().int() });
export type ResultAckCommand = z.infer<typeof ResultAckCommand>;

/** Tells of an erasure (erasure.ts), and asks how it goes; whoever knows it already says so again. */
export const EraseCommand = z.object({
  /** The id that was signed. */
  id: RequestId,
  orchestrator: HostName,
  erasure: ErasureRecord,
});
export type EraseCommand = z.infer<typeof EraseCommand>;

/** How an erasure goes on a host, on `a/{host}/erased/{orchestrator}`. */
export const HostErasure = z.object({
  id: RequestId,
  /** `failed`: it is tried again; `refused`: it is not, until it is asked for again. */
  state: z.enum(["working", "done", "failed", "refused"]),
  /** Rows and rejected lines that went. */
  rows: z.number().int().nonnegative(),
  /** Chunks that were written anew. */
  chunks: z.number().int().nonnegative(),
  /** Of these the ones that the archive had in their old form. */
  archived: z.number().int().nonnegative(),
  /** Why it failed, or was refused. */
  reason: z.string().max(2_000).nullable(),
});
export type HostErasure = z.infer<typeof HostErasure>;

/** Asks for the new lines of a stream for which a condition is true, as they come. */
export const TailCommand = z.object({
  request: RequestId,
  orchestrator: HostName,
  condition: z.string().max(SQL_BYTES_MAX),
  /** Signed claims (signature.ts). */
  token: z.string().max(8_192),
  /** Lines a second, where that is less than what was signed: the hosts share the asker's rate. */
  rate: z.number().int().min(1),
});
export type TailCommand = z.infer<typeof TailCommand>;

/** Says that somebody still reads a tail. Not signed, like a cancellation. */
export const TailKeepCommand = z.object({ request: RequestId });
export type TailKeepCommand = z.infer<typeof TailKeepCommand>;

/** How often an orchestrator says so. */
export const TAIL_KEEP_MS = 3_000;
/** After so long a silence a host ends a tail by itself: three of these may get lost. */
export const TAIL_LEASE_MS = 10_000;

/** Result messages that may be unacknowledged: more fill the broker's queue for slow readers. */
export const RESULTS_IN_FLIGHT_MAX = 8;

/** An error as it travels. `position` is a 1-based "line:column" of the SQL. */
export const WireError = z.object({
  code: z.string().max(32),
  message: z.string().max(8_192),
  position: z.string().max(32).optional(),
  /** Of too_many_rows: what this host alone would ship. */
  rows: z.number().optional(),
  bytes: z.number().optional(),
  /** The rule of the host's policy, where it is that. */
  rule: z.string().max(64).optional(),
});
export type WireError = z.infer<typeof WireError>;

/** The rule of a policy that turns away who comes while too many wait: later it may be another matter. */
export const BUSY_RULE = "waiting";

/** On `a/{host}/ack`, at once, before the query runs. */
export const QueryAck = z.object({
  request: RequestId,
  accepted: z.boolean(),
  refused: WireError.optional(),
});
export type QueryAck = z.infer<typeof QueryAck>;

/** What was destroyed before it was read: how often, and the bytes that are known of. */
export const GapTotal = z.object({ count: z.number().int(), bytes: z.number().int() });
export type GapTotal = z.infer<typeof GapTotal>;

/** Files that are damaged or missing, and the rows that were in them. */
export const LostTotal = z.object({ files: z.number().int(), rows: z.number().int() });
export type LostTotal = z.infer<typeof LostTotal>;

/** What came from the archive's object store for an answer. */
export const ArchiveUse = z.object({
  /** Chunks that were looked at. */
  chunks: z.number().int().nonnegative(),
  requests: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});
export type ArchiveUse = z.infer<typeof ArchiveUse>;

/** Of one host; more are not said. */
export const HOUR_SPANS_MAX = 100;

/** Archived chunks of one host that could not be read: how many, one of them, and why. */
export const UnreadChunks = z.object({
  host: HostName,
  /** 0: nobody could say which there are; `key` is empty then. */
  chunks: z.number().int().nonnegative(),
  key: z.string().max(500),
  reason: z.string().max(500),
});
export type UnreadChunks = z.infer<typeof UnreadChunks>;

/** What a host read for its part of an answer. */
export const HostCoverage = z.object({
  /** Parts and chunks opened. */
  chunks: z.number().int().nonnegative(),
  rows_scanned: z.number().int().nonnegative(),
  /** Of these: known from the same question before, and not read again. */
  rows_known: z.number().int().nonnegative().optional(),
  bytes_read: z.number().int().nonnegative(),
  /** Rejected lines in the asked range. */
  rejects: z.number().int().nonnegative(),
  /** Seen in the asked range; a host of an older version does not say. */
  gaps: GapTotal.default({ count: 0, bytes: 0 }),
  /** Of the asked tables and range: not in the answer. */
  lost: LostTotal.default({ files: 0, rows: 0 }),
  /** Bytes in the log files that the tail has not read yet. */
  behind_bytes: z.number().int().nonnegative(),
  /** Of the above what is in the archive; none: it was not asked. */
  archive: ArchiveUse.optional(),
  /** What the answer lacks: archived chunks that are damaged, or went while they were read. */
  unread: z.array(UnreadChunks).max(CHUNKS_OF_PIECE_MAX).optional(),
  /** Hours of the asked range of which chunks have left the host, and the archive has none. */
  absent: z.array(HourSpan).max(HOUR_SPANS_MAX).optional(),
  /** Of a piece of an archive: digest of the host's policy, which it was read under. */
  policy: z.string().max(64).optional(),
});
export type HostCoverage = z.infer<typeof HostCoverage>;

/**
 * A piece of one partial table. Small results travel as text: every value cast to VARCHAR, column
 * by column, null for NULL. Larger ones, and nested types, as consecutive slices of a Parquet file.
 */
export const ResultPart = z.discriminatedUnion("encoding", [
  z.object({
    table: z.string(),
    encoding: z.literal("text"),
    columns: z.array(Column),
    values: z.array(z.array(z.string().nullable())),
  }),
  z.object({
    table: z.string(),
    encoding: z.literal("parquet"),
    offset: z.number().int(),
    base64: z.string(),
  }),
]);
export type ResultPart = z.infer<typeof ResultPart>;

/** The last word of a host. `rows` counts what it shipped, by partial table. */
export const ResultEnd = z.discriminatedUnion("ok", [
  z.object({
    ok: z.literal(true),
    rows: z.record(z.string(), z.number().int()),
    coverage: HostCoverage,
    /** Time inside DuckDB, and from the command's arrival to this message. */
    sql_ms: z.number(),
    total_ms: z.number(),
  }),
  z.object({ ok: z.literal(false), error: WireError }),
]);
export type ResultEnd = z.infer<typeof ResultEnd>;

/** On `a/{host}/res/{orchestrator}/{request}`. `seq` counts from 0; the last one has `end`. */
export const ResultMessage = z.object({
  request: RequestId,
  seq: z.number().int().nonnegative(),
  parts: z.array(ResultPart),
  end: ResultEnd.optional(),
});
export type ResultMessage = z.infer<typeof ResultMessage>;

/** On `a/{host}/tail/{orchestrator}/{request}`. The first, `seq` 0, says that the host is at it. */
export const TailMessage = z.object({
  request: RequestId,
  seq: z.number().int().nonnegative(),
  /** In the order in which they were read. */
  lines: z.array(z.object({
    /** Microseconds since 1970, UTC. */
    ts_us: z.number().int(),
    line: z.string(),
  })),
  /** Lines so far that are not sent, as they were too many: for which the condition is true, */
  left_out: z.number().int().nonnegative(),
  /** and for which it was not even asked. */
  unchecked: z.number().int().nonnegative(),
  /** Of the last message: why it ends. */
  end: WireError.optional(),
});
export type TailMessage = z.infer<typeof TailMessage>;

/** How a host's uploads to the archive go. */
export const HostArchive = z.object({
  waiting_chunks: z.number().int(),
  waiting_bytes: z.number().int(),
  /** What the last one failed of, in a few words: `S3 403`; null when it did not. */
  failure: z.string().max(100).nullable(),
  failing_since: z.iso.datetime().nullable(),
  /** Until when the archive has everything. */
  archived_to: z.iso.datetime().nullable(),
});
export type HostArchive = z.infer<typeof HostArchive>;

/** Retained on `a/{host}/state`: on connecting, at every heartbeat, and (offline) as last will. */
export const Presence = z.object({
  host: HostName,
  region: RegionName,
  labels: Labels,
  version: z.string().max(64),
  plan_versions: z.array(z.number().int()),
  /** That it takes beside `query`. Hosts of older versions take none and do not say so. */
  commands: z.array(z.string().max(32)).default([]),
  streams: z.array(StreamName),
  state: z.enum(["online", "offline"]),
  /** New at every start of the agent. */
  boot: z.uuid(),
  /** Without a heartbeat for this long the host counts as offline. */
  lease_ms: z.number().int(),
  /** Version of its holdings (holdings.ts), as they are at this moment; none in a last will. */
  holdings: z.string().max(32).optional(),
  stats: z.object({
    lines_per_s: z.number(),
    behind_bytes: z.number().int(),
    /** Age of the oldest unread byte, as far as the tail knows. */
    behind_ms: z.number().int(),
    rejects: z.number().int(),
    stored_bytes: z.number().int(),
    /** Of those rows and bytes what is in no chunk yet; hosts of older versions do not say. */
    open_rows: z.number().int().default(0),
    open_bytes: z.number().int().default(0),
    /** Null without an archive, and from hosts of older versions. */
    archive: HostArchive.nullable().default(null),
    /** That it knows; less than it has said are done: it has another data folder. */
    erasures: z.number().int().nonnegative().optional(),
  }).optional(),
});
export type Presence = z.infer<typeof Presence>;

/** Retained on `a/{host}/tables`: on connecting, and whenever a column is new or wider. */
export const HostTables = z.object({ tables: z.array(Table).max(1_000) });
export type HostTables = z.infer<typeof HostTables>;

/** How often a host says that it is there. */
export const HEARTBEAT_MS = 5_000;
/** A host that was not heard for this long counts as offline: three heartbeats may get lost. */
export const LEASE_MS = 20_000;
