/** One writing process per data folder: a lock that ends with the process, however it ends. */
import { join } from "node:path";
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/** Takes the lock of a data folder. @throws {LogvendError} unavailable, when another one has it */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  const path = join(dataDir, "agent.lock");
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(dataDir, { recursive: true });
    file = await Deno.open(path, { create: true, write: true });
  } catch (cause) {
    throw new LogvendError(
      "unavailable",
      `Cannot write to data_dir ${dataDir}: ${messageOf(cause)}`,
      { cause },
    );
  }
  if (await file.tryLock(true)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new LogvendError("unavailable", `${dataDir} is in use by a running agent: stop it first`);
}
