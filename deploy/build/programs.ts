/** The programs that are built, and the rights that each runs with. */

export interface BuiltProgram {
  /** The executable's name. */
  name: "logvend" | "logvend-agent";
  /** Entry, from the repository's root. Its worker processes start there too. */
  entry: string;
  /** Deno's flags; `{root}` is the folder with Deno and the bundle. */
  permissions: readonly string[];
}

const SHARED = [
  "--unstable-no-legacy-abort", // as in deno.json
  "--allow-ffi={root}/app",
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
  },
  {
    name: "logvend",
    entry: "orchestrator/main.ts",
    // Its demo starts the agent's executable, wherever that lies.
    permissions: [...SHARED, "--allow-run"],
  },
];
