/** What the orchestrator tells the process that writes a long answer: one JSON line on its stdin. */
import { z } from "zod";
import { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { Column } from "../../protocol/wire/messages.ts";
import { ROW_FORMATS } from "../../queries/answer/format.ts";

export const ExportJob = z.object({
  /** Tables of the asker's own. */
  broadcast: z.array(BroadcastTable),
  /** The partial tables: what reads the Parquet files that hosts sent. */
  views: z.array(z.object({ table: z.string(), sql: z.string() })),
  /** These files, absolute. */
  files: z.array(z.string()),
  /** The merge: it gives the answer. */
  select: z.string(),
  columns: z.array(Column),
  format: z.enum(ROW_FORMATS),
  /** The C library, by which the process limits itself; null: there is none. */
  library: z.string().nullable(),
  /** Where DuckDB may spill; it need not be there. */
  spill_folder: z.string(),
});
export type ExportJob = z.infer<typeof ExportJob>;
