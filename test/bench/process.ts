/** What the kernel says of other processes: memory, children, how they are called. */

/** The kernel's clock, on every architecture that there are executables for. */
const TICKS_PER_SECOND = 100;

/** Resident memory now and at its highest, in bytes; null when the process has ended. */
export function memoryOf(pid: number): { now: number; peak: number } | null {
  const status = read(`/proc/${pid}/status`);
  const now = /VmRSS:\s+(\d+) kB/.exec(status);
  const peak = /VmHWM:\s+(\d+) kB/.exec(status);
  if (now === null || peak === null) return null;
  return { now: Number(now[1]) * 1_024, peak: Number(peak[1]) * 1_024 };
}

/** What a process has used of the cores so far, in seconds, without its children. */
export function cpuSecondsOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Children of a process whose command line holds a word. */
export function childrenOf(parent: number, word: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    const stat = Number.isInteger(pid) ? read(`/proc/${pid}/stat`) : "";
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(parent) &&
      read(`/proc/${pid}/cmdline`).includes(word);
  });
}

/** The highest memory of every helper process that comes and goes, until stopped. */
export class HelperWatch implements Disposable {
  /** By pid: highest memory in bytes. */
  readonly seen = new Map<number, number>();
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(parent: () => number, word: string) {
    this.timer = setInterval(() => {
      for (const pid of childrenOf(parent(), word)) {
        const memory = memoryOf(pid);
        if (memory !== null) this.seen.set(pid, memory.peak);
      }
    }, 20);
  }

  get peak(): number {
    return Math.max(0, ...this.seen.values());
  }

  [Symbol.dispose]() {
    clearInterval(this.timer);
  }
}

/** Empty when there is no such file (any more). */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
