/** One writing process per data folder: a lock that ends with the process, however it ends. */
import { join } from "node:path";
import { LogvendError } from "../../../protocol/errors.ts";
import { reasonOf } from "../../../protocol/file_error.ts";

/**
 * Takes the lock of a data folder, which is made when it is missing.
 * @throws {LogvendError} bad_config, when it cannot be written; unavailable, when another one has it
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  const path = join(dataDir, "agent.lock");
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(dataDir, { recursive: true });
    file = await Deno.open(path, { create: true, write: true });
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AlreadyExists ? "it is a file" : reasonOf(cause);
    throw new LogvendError(
      "bad_config",
      `Cannot write to data_dir "${dataDir}": ${reason}; ` +
        "wanted a folder that this user may write to",
      { cause },
    );
  }
  if (await file.tryLock(true)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new LogvendError("unavailable", `${dataDir} is in use by a running agent: stop it first`);
}
