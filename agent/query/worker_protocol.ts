/** What the agent and its query worker say to each other: JSON lines over stdin and stdout. */
import { z } from "zod";
import { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { Column, WireError } from "../../protocol/wire/messages.ts";
import { ROW_FORMATS } from "../../queries/answer/format.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { PlanRequest } from "../../queries/plan/planner.ts";

/** What a worker is told when it starts: its only argument, as JSON. */
export const WorkerSettings = z.object({
  /** Where DuckDB may spill. It is there. */
  spill_folder: z.string(),
  spill_bytes_max: z.number(),
  /** Of one query. */
  memory_bytes: z.number(),
  /** Of a file that it writes. */
  file_bytes_max: z.number(),
  /** Whom it becomes; null: it stays who it is. */
  user: z.number().nullable(),
  /** The C library, by which it limits itself; null: there is none. */
  library: z.string().nullable(),
  /** Whether answers may be wanted as Arrow: the code for it is read before the user changes. */
  arrow: z.boolean(),
});
export type WorkerSettings = z.infer<typeof WorkerSettings>;

/** What a query may ship, on this host. */
const Caps = z.object({ rows_max: z.number(), bytes_max: z.number() });

/** A table: its name and the SELECT that makes it. */
const Relation = z.object({ table: z.string(), sql: z.string() });
export type Relation = z.infer<typeof Relation>;

/**
 * What is wanted: tables for a merge elsewhere, the whole answer as one file, or the very lines of
 * logs, one after the other in a file: the SQL gives `piece`, `bytes` and `is_cut`, by piece.
 */
const Output = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("partials"),
    /** Tables of the asker's own. */
    broadcast: z.array(BroadcastTable).optional(),
    partials: z.array(Relation),
    caps: Caps,
    /** Longer tables are Parquet. @default as the fleet's messages have it */
    text_bytes_max: z.number().optional(),
  }),
  z.object({ kind: z.literal("answer"), sql: z.string(), format: z.enum(ROW_FORMATS) }),
  z.object({ kind: z.literal("lines"), sql: z.string() }),
]);
export type Output = z.infer<typeof Output>;

/** One query. Every SQL text here has passed the gate: a worker trusts it with its result files. */
export const WorkerQuery = z.object({
  /** The tables that the SQL of the output reads. */
  views: z.array(Relation),
  /** What these views read, as the worker names it (worker_folders.ts). */
  files: z.array(z.string()),
  output: Output,
  /** Exists and is empty; results go here: resultFile(folder, n). */
  result_folder: z.string(),
});
export type WorkerQuery = z.infer<typeof WorkerQuery>;

export const WorkerRequest = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("plan"), request: z.custom<PlanRequest>() }),
  z.object({ kind: z.literal("query"), query: WorkerQuery }),
  z.object({ kind: z.literal("interrupt") }),
]);
export type WorkerRequest = z.infer<typeof WorkerRequest>;

/** A finished table: its texts, or where it lies: resultFile(folder, n) of the n-th partial. */
const Shipped = z.object({ table: z.string(), rows: z.number(), bytes: z.number() }).and(
  z.discriminatedUnion("encoding", [
    z.object({
      encoding: z.literal("text"),
      columns: z.array(Column),
      values: z.array(z.array(z.string().nullable())),
    }),
    z.object({ encoding: z.literal("parquet") }),
  ]),
);
export type Shipped = z.infer<typeof Shipped>;

/** How much of the file of lines is of one piece; `cut`: lines that are not whole. */
const Piece = z.object({
  piece: z.number(),
  lines: z.number(),
  bytes: z.number(),
  cut: z.number(),
});
export type Piece = z.infer<typeof Piece>;

/**
 * `ready` comes once at the start and again after each query: the next one may be sent. `planned` and
 * `refused` answer a plan, after which the worker is ready as before.
 */
export const WorkerReply = z.discriminatedUnion("kind", [
  /** `problem`: what of its confinement could not be had. */
  z.object({ kind: z.literal("ready"), problem: z.string().optional() }),
  z.object({ kind: z.literal("planned"), plan: z.custom<Plan>() }),
  z.object({ kind: z.literal("refused"), error: WireError }),
  z.object({ kind: z.literal("partials"), shipped: z.array(Shipped), sql_ms: z.number() }),
  z.object({ kind: z.literal("answer"), rows: z.number(), sql_ms: z.number() }),
  z.object({ kind: z.literal("lines"), pieces: z.array(Piece), sql_ms: z.number() }),
  z.object({ kind: z.literal("failed"), error: WireError }),
]);
export type WorkerReply = z.infer<typeof WorkerReply>;

/** The path of the n-th result; both sides make it up, so that no path is taken on trust. */
export function resultFile(folder: string, index: number): string {
  return `${folder}/${index}`;
}
