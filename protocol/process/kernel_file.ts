/** The C library, and through it what the kernel says in /proc: Deno forbids that to our programs. */

/** Linux has the C library in one of these places; the process has it loaded already. */
const LIBRARY_PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/lib/libc.so.6",
];

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** More than any of those that are read here. */
const BYTES_MAX = 8_192;

let symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

/** The C library, absolute; null where there is none. */
export function libraryPath(): string | null {
  return LIBRARY_PATHS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false; // not in this place
    }
  }) ?? null;
}

/**
 * What a file of /proc says, up to 8 KiB; null where it is not there, or not for this process.
 * @param library of libraryPath, for who may not look for it any more
 */
export function readKernelFile(path: string, library = libraryPath()): string | null {
  if (library === null) return null;
  symbols ??= Deno.dlopen(library, SYMBOLS).symbols; // never closed: it is that of the process
  const file = symbols.open(new TextEncoder().encode(`${path}\0`), 0);
  if (file < 0) return null;
  const buffer = new Uint8Array(BYTES_MAX);
  const length = Number(symbols.read(file, buffer, BigInt(buffer.length)));
  symbols.close(file);
  return length < 0 ? null : new TextDecoder().decode(buffer.subarray(0, length));
}
