/** What a process gives up for good before it runs the SQL of others: memory, files, its user. */
import { LogvendError } from "../errors.ts";
import { readKernelFile } from "./kernel_file.ts";

/** Bounds of a process that runs one query at a time. */
export interface Confinement {
  /** Of memory beyond what the process has by now: more fails, as an error of the query. */
  memoryBytes: number;
  /** Of a file that it writes: more ends it. */
  fileBytes: number;
  /** The user and group that it becomes; null: it stays who it is. */
  user: number | null;
}

/** setrlimit(2), on every architecture that there are executables for. */
const RLIMIT_FSIZE = 1;
const RLIMIT_DATA = 2;
const RLIMIT_CORE = 4;
/** prctl(2): no program that it might start has more rights. */
const PR_SET_NO_NEW_PRIVS = 38;

const SYMBOLS = {
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  setgroups: { parameters: ["usize", "pointer"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
} as const;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * Confines this process, for good. To be called when all code and libraries are loaded: another user
 * may not be able to read them. Returns what could not be had, in words; null: all is as asked.
 * @param library of libraryPath
 * @throws {LogvendError} internal, where memory and files cannot be bounded
 */
export function confine(library: string | null, confinement: Confinement): string | null {
  if (library === null) return "this system has no limits that a query's process could set itself";
  const { symbols } = Deno.dlopen(library, SYMBOLS); // never closed: it is that of the process
  const memory = dataBytes(library) + confinement.memoryBytes;
  limit(symbols, RLIMIT_DATA, memory);
  limit(symbols, RLIMIT_FSIZE, confinement.fileBytes);
  limit(symbols, RLIMIT_CORE, 0); // a core would hold rows of logs
  symbols.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n);
  return confinement.user === null ? null : become(symbols, confinement.user);
}

function become(library: Library, user: number): string | null {
  const isDone = library.setgroups(0n, null) === 0 && library.setgid(user) === 0 &&
    library.setuid(user) === 0;
  return isDone ? null : `this system does not let a query's process become user ${user}`;
}

function limit(library: Library, resource: number, bytes: number) {
  const softAndHard = new BigUint64Array([BigInt(bytes), BigInt(bytes)]);
  if (library.setrlimit(resource, softAndHard) === 0) return;
  throw new LogvendError("internal", `Cannot limit resource ${resource} to ${bytes}`);
}

/** Writable memory of this process, as RLIMIT_DATA counts it. */
function dataBytes(library: string): number {
  const status = readKernelFile("/proc/self/status", library) ?? "";
  const kilobytes = /VmData:\s+(\d+) kB/.exec(status)?.[1];
  if (kilobytes !== undefined) return Number(kilobytes) * 1_024;
  throw new LogvendError("internal", "Cannot read how much memory this process has");
}
