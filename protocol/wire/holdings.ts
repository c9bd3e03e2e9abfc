/**
 * What a host says that it holds, so that hosts that cannot match are not asked. Its statement is
 * small and retained; of a day that an orchestrator does not know it asks the host.
 */
import { z } from "zod";
import { HostName, StreamName } from "../names.ts";

/** More days make the statement too large for a message; the host is then always asked. */
export const DAYS_MAX = 3_000;

/** More chunks make a day too large for a message; the host is then always asked about it. */
export const CHUNKS_OF_DAY_MAX = 1_000;

/** Days that are asked for at once. */
export const DAYS_ASKED_MAX = 8;

/**
 * Retained on `a/{host}/holdings`: on connecting, and whenever it has changed. A row that makes it
 * wrong is in no answer before the new statement is on its way.
 */
export const HostHoldings = z.object({
  /** Of what follows. A presence names the one that holds; no other does. */
  version: z.string().max(32),
  /** From here on it may hold anything, at any time if null; before that only what `days` has. */
  open_from: z.iso.datetime().nullable(),
  /** Rows of before may have been removed, as they were too old or too many; null: none were. */
  gone_until: z.iso.datetime().nullable().optional(),
  /** The first hour of rows that the archive lacks; null: it has all. */
  unarchived_from: z.iso.datetime().nullable().optional(),
  /** Whether all rows have this host's own name: a folder may come from another one. */
  own_rows: z.boolean(),
  /** Days (UTC) with chunks, losses or gaps, and a digest of them. */
  days: z.record(z.iso.date(), z.string().max(32)),
});
export type HostHoldings = z.infer<typeof HostHoldings>;

/** A sealed chunk: its id, rows, bytes, and the first and last `ts` in microseconds since 1970. */
const Chunk = z.tuple([
  z.string().max(64),
  z.number().int(),
  z.number().int(),
  z.number().int(),
  z.number().int(),
]);

/** Something that answers have to mention, its stream (null: any), first and last microsecond. */
const Mark = z.tuple([StreamName.nullable(), z.number().int(), z.number().int()]);

/** What a host holds of one day. */
export const DayHoldings = z.object({
  day: z.iso.date(),
  digest: z.string().max(32),
  /** By stream; null: too many to say, it may hold anything of this day. */
  chunks: z.record(StreamName, z.array(Chunk).max(CHUNKS_OF_DAY_MAX)).nullable(),
  /** Lost files, and gaps when they were seen. */
  marks: z.array(Mark).max(CHUNKS_OF_DAY_MAX),
});
export type DayHoldings = z.infer<typeof DayHoldings>;

/** Asks for days, on `a/{host}/cmd`. Not signed: the answer holds no row. */
export const HoldingsCommand = z.object({
  orchestrator: HostName,
  days: z.array(z.iso.date()).max(DAYS_ASKED_MAX),
});
export type HoldingsCommand = z.infer<typeof HoldingsCommand>;
