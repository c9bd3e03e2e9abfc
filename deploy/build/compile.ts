/** One kind of executable: `deno compile`, where its run-time binary can be downloaded. */
import { join } from "node:path";
import { run } from "./command.ts";
import { v8Flag } from "./programs.ts";
import type { BuiltProgram } from "./programs.ts";

/** A download that hangs must not hold the build up: there is another kind. */
const TIMEOUT_MS = 60_000;

/**
 * Makes `output` from a staged folder. It unpacks itself at the first start, as DuckDB's library has
 * to lie beside duckdb.node as a file (denoland/deno#29203).
 * @throws when Deno cannot
 */
export async function compile(
  { app, program, output }: { app: string; program: BuiltProgram; output: string },
) {
  const settings = ["--self-extracting", "--no-check", "--no-lock", "--node-modules-dir=manual"];
  const permissions = [
    "--no-prompt",
    ...program.permissions.map((flag) => flag.split("=")[0] ?? ""),
    ...v8Flag(program),
  ];
  const args = [...settings, ...permissions, "--include=node_modules", `--output=${output}`];
  await run(Deno.execPath(), ["compile", ...args, `${program.name}.js`], {
    cwd: join(app),
    timeoutMs: TIMEOUT_MS,
  });
}
