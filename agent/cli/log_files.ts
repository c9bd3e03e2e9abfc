/** `agent query --file`: log files as they are, made into a store of their own for one question. */
import { join, resolve } from "node:path";
import { plainLines } from "../ingest/line_form.ts";
import { readFile } from "../ingest/read_file.ts";
import { tryFormats } from "../ingest/trial.ts";
import { Store } from "../store/store.ts";
import { isAccessName, shapeOfFormat } from "../stream_format.ts";
import type { Format } from "../stream_format.ts";
import { firstLines } from "./first_lines.ts";
import type { Source } from "./query.ts";
import { stdinFile } from "./stdin_file.ts";

/** Of the first file: they tell the format of all. */
const SAMPLE_BYTES = 2 ** 17;

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
  const paths: string[] = [];
  for (const file of new Set(files)) {
    paths.push(file === "-" ? await stdinFile(folder, signal) : resolve(file));
  }
  const format = await formatOf(paths);
  const shapes = new Map([["logs", shapeOfFormat(format)]]);
  const store = stack.use(
    await Store.open({ dataDir, host, region, streams: ["logs"], shapes, sealAfterMs: 0, signal }),
  );
  for (const path of paths) {
    await readFile({ path, stream: "logs", form: plainLines(format), sink: store, signal });
  }
  return { store, dataDir, region, format };
}

/** What most of the first lines are; lines of no known format are asked as they stand. */
async function formatOf([path]: readonly string[]): Promise<Format> {
  const { lines } = path === undefined ? { lines: [] } : await firstLines(path, SAMPLE_BYTES);
  const { format, rows } = tryFormats(lines, 0);
  if (format === null || 2 * rows < lines.length) return lines.length === 0 ? "auto" : "raw";
  return isAccessName(format) ? "auto" : format; // files of several servers may be asked at once
}
