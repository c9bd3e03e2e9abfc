/** The bytes of a new object, a part at a time: never more of a file in memory. */
import type { NewObject } from "./object_store.ts";

/** How many bytes there are. */
export async function sizeOf(body: NewObject["body"]): Promise<number> {
  return body instanceof Uint8Array ? body.length : (await Deno.stat(body.path)).size;
}

/** Parts of the same size, the last of what is left; at least one. */
export async function* partsOf(
  body: NewObject["body"],
  partBytes: number,
): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    for (let start = 0; start === 0 || start < body.length; start += partBytes) {
      yield body.subarray(start, start + partBytes);
    }
    return;
  }
  using file = await Deno.open(body.path);
  for (let isFirst = true;; isFirst = false) {
    const part = await readFull(file, partBytes);
    if (part.length > 0 || isFirst) yield part;
    if (part.length < partBytes) return;
  }
}

async function readFull(file: Deno.FsFile, bytes: number): Promise<Uint8Array> {
  const part = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const length = await file.read(part.subarray(filled));
    if (length === null) break;
    filled += length;
  }
  return part.subarray(0, filled);
}
