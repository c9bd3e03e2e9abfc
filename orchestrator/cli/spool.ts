/** An answer in a file on this machine's disk, until it is known to be whole. */
import { join } from "node:path";
import { reasonOf } from "../../protocol/file_error.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { RowOutput } from "./row_output.ts";

/** Takes the rows of one answer, as Parquet. */
export class Spool implements RowOutput, AsyncDisposable {
  readonly format = "parquet";
  readonly isWritten = false;
  private isKept = false;

  private constructor(readonly folder: string, private readonly file: Deno.FsFile) {}

  /** In a folder of its own, where this machine keeps what is temporary. @throws {LogvendError} */
  static async open(): Promise<Spool> {
    try {
      const folder = await Deno.makeTempDir({ prefix: "logvend-publish-" });
      return new Spool(folder, await Deno.create(join(folder, "answer.parquet")));
    } catch (cause) {
      const text = `Cannot write where temporary files go (TMPDIR): ${reasonOf(cause)}`;
      throw new LogvendError("unavailable", text, { cause });
    }
  }

  get path(): string {
    return join(this.folder, "answer.parquet");
  }

  async add(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.file.write(bytes.subarray(at));
    } catch (cause) {
      const text = `Cannot write ${this.path}: ${reasonOf(cause)}; TMPDIR says where to`;
      throw new LogvendError("unavailable", text, { cause });
    }
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  async restart(): Promise<boolean> {
    await this.file.truncate();
    await this.file.seek(0, Deno.SeekMode.Start);
    return true;
  }

  /** Leaves the file where it is. */
  keep() {
    this.isKept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    if (!this.isKept) await Deno.remove(this.folder, { recursive: true });
  }
}
