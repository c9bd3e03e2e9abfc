/** One orchestrator per data folder: a lock that ends with the process, however it ends. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";

/** Takes the lock. @throws {LogvendError} bad_config, or unavailable when another one has it */
export async function lockDataFolder(dataFolder: string): Promise<Disposable> {
  const path = join(dataFolder, "orchestrator.lock");
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(dataFolder, { recursive: true, mode: 0o700 });
    file = await Deno.open(path, { create: true, write: true });
  } catch (cause) {
    throw new LogvendError(
      "bad_config",
      `Cannot write to data_dir ${dataFolder}: ${reasonOf(cause)}`,
      { cause },
    );
  }
  if (await file.tryLock(true)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new LogvendError(
    "unavailable",
    `${dataFolder} is in use by a running orchestrator: stop it first`,
  );
}
