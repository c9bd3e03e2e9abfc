/** The programs that are built, and the rights that each runs with. */

export interface BuiltProgram {
  /** The executable's name. */
  name: "logvend" | "logvend-agent";
  /** Entry, from the repository's root. Its worker processes start there too. */
  entry: string;
  /** Deno's flags; `{root}` is the folder with Deno and the bundle. */
  permissions: readonly string[];
  /** Settings of its JavaScript heap, as `deno.json` has them for the same program. */
  v8Flags: readonly string[];
}

const SHARED = [
  "--unstable-no-legacy-abort", // as in deno.json
  "--allow-ffi", // DuckDB, and the addresses of log lines that it reads in place
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
];

export const PROGRAMS: readonly BuiltProgram[] = [
  {
    name: "logvend-agent",
    entry: "agent/main.ts",
    permissions: [...SHARED, "--allow-run={root}/deno"],
    // V8 lets a heap that may become large grow by four before it collects; one of 512 MB by a third.
    v8Flags: ["--max-semi-space-size=4", "--max-old-space-size=512"],
  },
  {
    name: "logvend",
    entry: "orchestrator/main.ts",
    // Its demo starts the agent's executable, wherever that lies.
    permissions: [...SHARED, "--allow-run"],
    v8Flags: [],
  },
];

/** The flag that hands a program's settings to V8; none without settings. */
export function v8Flag({ v8Flags }: BuiltProgram): string[] {
  return v8Flags.length === 0 ? [] : [`--v8-flags=${v8Flags.join(",")}`];
}
