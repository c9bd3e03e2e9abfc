/** CPU time of processes that have ended: what they took, however long they had to wait for it. */

/** Of the C library's getrusage: children that have ended and were waited for, and theirs. */
const RUSAGE_CHILDREN = -1;
const RUSAGE_BYTES = 144;

/** The kernel's clock in /proc, on every architecture that there are executables for. */
const TICK_MS = 10;

/** Of all programs that this process started and that are over, and of those that they started. */
export function endedCpuMs(): number {
  const library = Deno.dlopen("libc.so.6", {
    getrusage: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const usage = new Uint8Array(RUSAGE_BYTES);
  const code = library.symbols.getrusage(RUSAGE_CHILDREN, usage);
  library.close();
  if (code !== 0) throw new Error(`getrusage gave ${code}`);
  const [userS = 0n, userUs = 0n, systemS = 0n, systemUs = 0n] = new BigInt64Array(usage.buffer);
  return Number(userS + systemS) * 1_000 + Number(userUs + systemUs) / 1_000;
}

/** Of one that runs, and of those that it started and that are over. */
export function cpuMsOfProgram(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}
