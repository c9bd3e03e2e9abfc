/** The `policy` part of agent.yaml: what the fleet may ask of this host, and what that may cost it. */
import { z } from "zod";
import { Bytes, Duration } from "../../protocol/config/config_file.ts";

/** With less DuckDB cannot even open what it is to read. */
const MEMORY_MIN_BYTES = 128 * 2 ** 20;

/** Columns that say what rows are about; without them nothing can be asked. */
export const ALWAYS_SHOWN: readonly string[] = ["ts", "time_local", "host", "region"];

const ColumnName = z.string().min(1).refine(
  (name) => !ALWAYS_SHOWN.includes(name.toLowerCase()),
  `any column but ${ALWAYS_SHOWN.join(", ")}`,
);

/** How a column's values are shown. */
export const Mask = z.enum(["prefix24", "no_query"]);
export type Mask = z.infer<typeof Mask>;

export const Policy = z.strictObject({
  timeout: Duration.refine((ms) => ms >= 100 && ms <= 3_600_000, "100ms to 1h").prefault("30s")
    .describe("a query is stopped after this long, not counting that it waited for its turn"),
  memory: Bytes.refine((bytes) => bytes >= MEMORY_MIN_BYTES, "a size from 128MiB")
    .prefault("512MiB").describe("of one query; what DuckDB can spill goes to disk before"),
  running: z.int("1 to 16").min(1).max(16).default(2).describe("queries that run at a time"),
  waiting: z.int("0 to 1000").min(0).max(1_000).default(16)
    .describe("queries that wait for their turn; more are turned away"),
  rows: z.int().min(1).default(10_000_000).describe("rows that one query may take out"),
  bytes: Bytes.prefault("2GB").describe("bytes that one query may take out"),
  bytes_read: Bytes.prefault("200GB").describe(
    "size of the parts and chunks that one may look into",
  ),
  range: Duration.optional().describe("the longest range of time that a query may look at"),
  streams: z.array(z.string().min(1)).optional()
    .describe("the tables that may be asked, rejects, accounting and query_log too; none: all"),
  columns: z.record(z.string(), z.array(z.string().min(1)).min(1)).default({})
    .describe(
      "by table, the only columns that may be asked, beside ts, time_local, host and region",
    ),
  mask: z.record(ColumnName, Mask).default({}).describe(
    "by column, in every table: prefix24 shows of an address its network (192.0.2.0, 2001:db8::), no_query nothing; with any mask line, line_bytes and tails are closed too",
  ),
});

/** What the fleet may ask. */
export type Policy = z.infer<typeof Policy>;
