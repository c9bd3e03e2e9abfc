/** `agent query --file`: log files as they are, made into a store of their own for one question. */
import { join, resolve } from "node:path";
import { plainLines } from "../ingest/line_form.ts";
import { readFile } from "../ingest/read_file.ts";
import { Store } from "../store/store.ts";
import type { Source } from "./query.ts";

/** Said of logs that hold lines and no rows. */
export const NO_ROWS = "no line looks like an access log; SELECT * FROM rejects shows why";

export interface LogFilesRequest {
  /** Paths; `-` is standard input. */
  files: readonly string[];
  /** An empty one, whose owner removes it. */
  folder: string;
  /** Gets the store. */
  stack: AsyncDisposableStack;
  signal: AbortSignal;
}

/** @throws {LogvendError} usage, when a file cannot be read */
export async function readLogFiles(request: LogFilesRequest): Promise<Source> {
  const { files, folder, stack, signal } = request;
  const dataDir = join(folder, "data");
  const [host, region] = ["local", "local"];
  const store = stack.use(
    await Store.open({ dataDir, host, region, streams: ["logs"], sealAfterMs: 0, signal }),
  );
  let [rows, rejects] = [0, 0];
  for (const file of new Set(files)) {
    const path = file === "-" ? await spoolStdin(folder, signal) : resolve(file);
    const read = await readFile({
      path,
      stream: "logs",
      form: plainLines("auto"),
      sink: store,
      signal,
    });
    rows += read.rows;
    rejects += read.rejects;
  }
  return { store, dataDir, region, onlyRejects: rows === 0 && rejects > 0 };
}

/** Standard input comes once; files are read as often as it takes. */
async function spoolStdin(folder: string, signal: AbortSignal): Promise<string> {
  const path = join(folder, "stdin");
  const file = await Deno.open(path, { createNew: true, write: true });
  await Deno.stdin.readable.pipeTo(file.writable, { signal });
  return path;
}
