/** Secrets of the configuration: in a file or an environment variable, never in agent.yaml itself. */
import { z } from "zod";
import { LogvendError } from "../protocol/errors.ts";
import { reasonOf } from "../protocol/file_error.ts";

/** Where a secret is. */
export const Secret = z.strictObject({
  file: z.string().min(1).optional().describe(
    "a file that holds it; blanks around it do not count",
  ),
  env: z.string().min(1).optional().describe("an environment variable that holds it"),
}).refine(({ file, env }) => (file === undefined) !== (env === undefined), "either file or env");
export type Secret = z.infer<typeof Secret>;

/** Its text. @throws {LogvendError} bad_config, when it is not there */
export function secretText({ file, env = "" }: Secret): string {
  const text = file === undefined ? fromEnv(env) : fromFile(file);
  if (text !== "") return text;
  throw new LogvendError("bad_config", `The secret in ${file ?? `$${env}`} is empty`);
}

function fromEnv(name: string): string {
  const text = Deno.env.get(name);
  if (text !== undefined) return text.trim();
  throw new LogvendError("bad_config", `The environment variable ${name} is not set`);
}

function fromFile(path: string): string {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new LogvendError("bad_config", `Cannot read the key in ${path}: ${reason}`, { cause });
  }
}
