/** Makes one Parquet file of several: their row groups are copied as they are. */
import { createHash } from "node:crypto";
import { FILE, footerBytes, MAGIC, movedRowGroups } from "../../../queries/parquet/footer.ts";
import type { Footer } from "../../../queries/parquet/footer.ts";
import { i64, numberIn, structs, text } from "../../../queries/parquet/thrift.ts";
import type { ThriftStruct } from "../../../queries/parquet/thrift.ts";

const BLOCK_BYTES = 2 ** 20;

/** A file of the same columns as the others. */
export interface JoinedSource {
  path: string;
  footer: Footer;
}

export interface Joined {
  rows: number;
  bytes: number;
  sha256: string;
}

/** Writes `target`, whose key-value metadata is `metadata`. There must be a source. */
export async function joinFiles(
  sources: readonly JoinedSource[],
  target: string,
  metadata: { key: string; value: string },
): Promise<Joined> {
  using output = await Output.create(target);
  await output.write(MAGIC);
  const rowGroups: ThriftStruct[] = [];
  let rows = 0n;
  for (const { path, footer } of sources) {
    rowGroups.push(...movedRowGroups(footer, output.bytes - MAGIC.length, rowGroups.length));
    rows += numberIn(footer.fields, FILE.rows) ?? 0n;
    await output.copy(path, { start: MAGIC.length, end: footer.bodyEnd });
  }
  const { key, value } = metadata;
  const fields = new Map([...sources[0]?.footer.fields ?? []]);
  fields.set(FILE.rows, i64(rows));
  fields.set(FILE.rowGroups, structs(rowGroups));
  fields.set(FILE.metadata, structs([new Map([[1, text(key)], [2, text(value)]])]));
  await output.write(footerBytes(fields));
  return { rows: Number(rows), bytes: output.bytes, sha256: output.sha256() };
}

/** A file being written, hashed on the way. */
class Output implements Disposable {
  bytes = 0;
  private readonly hash = createHash("sha256");

  private constructor(private readonly file: Deno.FsFile) {}

  static async create(path: string): Promise<Output> {
    return new Output(await Deno.create(path));
  }

  async write(block: Uint8Array) {
    this.hash.update(block);
    this.bytes += block.length;
    for (let at = 0; at < block.length;) at += await this.file.write(block.subarray(at));
  }

  async copy(path: string, { start, end }: { start: number; end: number }) {
    using file = await Deno.open(path);
    await file.seek(start, Deno.SeekMode.Start);
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = start; at < end;) {
      const count = await file.read(block.subarray(0, Math.min(BLOCK_BYTES, end - at)));
      if (count === null) throw new RangeError(`${path} ends too soon`);
      await this.write(block.subarray(0, count));
      at += count;
    }
  }

  sha256(): string {
    return this.hash.digest("hex");
  }

  [Symbol.dispose]() {
    this.file.close();
  }
}
