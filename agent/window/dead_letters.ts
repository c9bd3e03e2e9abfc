/** Documents that a sink will never take, with its reasons, in a file of its own for whoever cares. */
import { join } from "node:path";
import type { Rejected } from "./sinks/sink.ts";

/** The file and the one before it: a sink that refuses everything must not fill the disk. */
const FILE_BYTES_MAX = 8e6;

export class DeadLetters {
  /** `<folder>/<sink>.jsonl` */
  readonly path: string;

  constructor(private readonly folder: string, sink: string) {
    this.path = join(folder, `${sink}.jsonl`);
  }

  async add(rejected: readonly Rejected[]): Promise<void> {
    await Deno.mkdir(this.folder, { recursive: true });
    const size = await Deno.stat(this.path).then((info) => info.size, () => 0);
    if (size >= FILE_BYTES_MAX) await Deno.rename(this.path, `${this.path}.1`);
    const at = new Date().toISOString();
    const lines = rejected.map(({ event, reason }) =>
      `${
        JSON.stringify({ at, reason, id: event.id, revision: event.revision, body: event.body })
      }\n`
    );
    await Deno.writeTextFile(this.path, lines.join(""), { append: true });
  }
}
