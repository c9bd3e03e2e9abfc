/**
 * Builds `build/logvend-agent` and `build/logvend`, one file each, for the kind of machine that
 * builds: by `deno compile` where it works, else with the launcher. Says which kind it made.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "./compile.ts";
import { makeLauncher, makePayload } from "./launcher.ts";
import { PROGRAMS } from "./programs.ts";
import { smoke } from "./smoke.ts";
import { stage } from "./stage.ts";
import { messageOf } from "../../protocol/errors.ts";
import { formatBytes } from "../../protocol/units.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

if (import.meta.main) {
  try {
    await build(join(ROOT, "build"));
  } catch (error) {
    console.error(`The build failed: ${messageOf(error)}`);
    Deno.exit(1);
  }
}

async function build(target: string) {
  const folder = join(target, "stage");
  const app = await stage({ root: ROOT, folder, programs: PROGRAMS });
  try {
    for (const program of PROGRAMS) {
      await compile({ app, program, output: join(target, program.name) });
    }
    await smoke(target);
    await report("deno compile", target);
    return;
  } catch (error) {
    console.log(`deno compile does not work here (${rootCause(error)}): making the launcher`);
  }
  if (Deno.build.os !== "linux") throw new Error("the launcher runs on Linux only");
  const payload = await makePayload({ folder, programs: PROGRAMS });
  for (const { name } of PROGRAMS) {
    await makeLauncher({ payload, name, output: join(target, name) });
  }
  await smoke(target);
  await report("launcher", target);
}

/** The last line of the error, without the numbers and traces that Deno adds to its causes. */
function rootCause(error: unknown): string {
  const [message = ""] = messageOf(error).split("\nStack backtrace:");
  return message.trim().split("\n").at(-1)?.replace(/^\s*\d+: /, "") ?? "";
}

async function report(kind: string, target: string) {
  for (const { name } of PROGRAMS) {
    const { size } = await Deno.stat(join(target, name));
    console.log(`build/${name}: ${kind}, ${formatBytes(size)}, answered its query`);
  }
}
