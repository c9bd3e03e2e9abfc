/** Every fault scenario, in the order of the table of faults. */
import type { Scenario } from "./scenario.ts";
import { scenario as kill } from "./01_kill.ts";
import { scenarios as powerCut } from "./02_power_cut.ts";
import { scenario as rename } from "./03_rename.ts";
import { scenario as copyTruncate } from "./04_copytruncate.ts";
import { scenario as sparse } from "./05_sparse.ts";
import { scenario as inodeReuse } from "./06_inode_reuse.ts";
import { scenario as rotatedWhileDown } from "./07_rotated_while_down.ts";
import { scenario as identical } from "./08_identical.ts";
import { scenario as regrow } from "./09_regrow.ts";
import { scenario as partialLine } from "./10_partial_line.ts";
import { scenario as longLine } from "./11_long_line.ts";
import { scenario as bytes } from "./12_bytes.ts";
import { scenario as clock } from "./13_clock.ts";
import { scenario as late } from "./14_late.ts";
import { scenario as windowsLate } from "./14_windows.ts";
import { scenarios as diskFull } from "./15_disk_full.ts";
import { scenario as fullStart } from "./15_full_start.ts";
import { scenarios as agentDb } from "./16_agent_db.ts";
import { scenario as corruptChunk } from "./17_corrupt_chunk.ts";
import { scenarios as archive } from "./18_archive.ts";
import { scenario as erase } from "./20_erase.ts";
import { scenario as sinksOut } from "./21_sinks.ts";
import { scenario as refused } from "./22_refused.ts";
import { scenarios as handles } from "./26_handles.ts";

export const SCENARIOS: readonly Scenario[] = [
  kill,
  ...powerCut,
  rename,
  copyTruncate,
  sparse,
  inodeReuse,
  rotatedWhileDown,
  identical,
  regrow,
  partialLine,
  longLine,
  bytes,
  clock,
  late,
  windowsLate,
  ...diskFull,
  fullStart,
  ...agentDb,
  corruptChunk,
  ...archive,
  erase,
  sinksOut,
  refused,
  ...handles,
];
