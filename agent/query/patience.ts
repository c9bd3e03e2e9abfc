/** How long a process that was told to stop is waited for: by its own CPU, for the host may be busy. */
import { readKernelFile } from "../../protocol/process/kernel_file.ts";

/** DuckDB heeds an interrupt within 21 ms, or not at all (levenshtein, list_sort, printf). */
const HEEDED_CPU_MS = 500;

/** It is waited for at least as long; where it does not get the CPU, as long at most. */
const MIN_MS = 1_000;
const MAX_MS = 5_000;
const LOOK_EVERY_MS = 100;

/** Linux counts in these for programs, on every architecture. */
const TICK_MS = 10;

/**
 * Calls `end` once, unless `settled` aborts before: true where the process had the CPU to stop and
 * went on, false where nobody knows whether it would have.
 */
export function endUnheeded(
  pid: number,
  settled: AbortSignal,
  end: (wentOn: boolean) => void,
): void {
  const startMs = performance.now();
  const startCpuMs = cpuMsOf(pid) ?? 0;
  const timer = setInterval(() => {
    const waitedMs = performance.now() - startMs;
    if (waitedMs < MIN_MS) return;
    const cpuMs = cpuMsOf(pid);
    const wentOn = cpuMs === null || cpuMs - startCpuMs >= HEEDED_CPU_MS;
    if (!wentOn && waitedMs < MAX_MS) return;
    clearInterval(timer);
    end(wentOn);
  }, LOOK_EVERY_MS);
  settled.addEventListener("abort", () => clearInterval(timer));
}

/** Of all its threads since it started; null where that is not to be known. */
function cpuMsOf(pid: number): number | null {
  const stat = readKernelFile(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS; // utime, stime: proc_pid_stat(5)
}
