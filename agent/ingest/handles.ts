/** How many log files may be kept open: the process needs handles for other things too. */
import { readKernelFile } from "../../protocol/process/kernel_file.ts";

/** More open files cost the process handles; the rest is opened for each read. */
const FILES_OPEN_MAX = 256;

/** What store, queries, link and DuckDB have open at most. */
const HANDLES_KEPT = 64;

/** The limit of open files where the system tells one, and what of it logs may use. */
export interface Handles {
  limit: number | null;
  filesOpenMax: number;
}

/** Half of what is left goes to logs. Where nothing tells the limit (no /proc), it is ample. */
export function handlesForLogs(limits = readKernelFile("/proc/self/limits") ?? ""): Handles {
  const found = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (found === undefined) return { limit: null, filesOpenMax: FILES_OPEN_MAX };
  const limit = Number(found);
  const left = Math.floor((limit - HANDLES_KEPT) / 2);
  return { limit, filesOpenMax: Math.max(1, Math.min(FILES_OPEN_MAX, left)) };
}
