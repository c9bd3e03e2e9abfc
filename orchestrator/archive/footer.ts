/** What an archived chunk says of itself at its end, read without the rest. */
import { parquetMetadata } from "hyparquet";
import type { FileMetaData } from "hyparquet";
import { z } from "zod";
import { readObject } from "../../protocol/archive/object_store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { checkFooter } from "../../queries/chunk/check_footer.ts";
import type { FooterFacts } from "../../queries/chunk/check_footer.ts";
import { ChunkError } from "../../queries/chunk/chunk_error.ts";

/** Most footers are smaller; the others take a second read. */
const FOOTER_BYTES = 65_536;

/** Length of the footer, and PAR1. */
const TRAILER_BYTES = 8;

const Footer = z.object({
  id: z.string(),
  runs: z.array(z.object({ generation: z.string(), start: z.number(), end: z.number() })),
  generations: z.array(z.object({
    id: z.string(),
    stream: z.string(),
    path: z.string(),
    offset: z.number(),
    firstSeenMs: z.number(),
    inputPath: z.string().nullable(),
  })),
});

/** The parts of a chunk's own metadata that the archive needs, its rows, and what it says it is. */
export type Footer = z.infer<typeof Footer> & { rows: number; facts: FooterFacts };

/** @throws {ChunkError} when it is none of ours; {ObjectStoreError} when it cannot be read */
export async function readFooter(
  { store, object: { key, bytes } }: {
    store: ObjectStore;
    object: { key: string; bytes: number };
  },
  ifMatch: string,
  signal: AbortSignal,
): Promise<Footer> {
  if (bytes < 2 * TRAILER_BYTES) throw new ChunkError("it is too short");
  const tail = async (length: number) => {
    const range = { start: Math.max(0, bytes - length), end: bytes };
    return await readObject(store, key, { range, ifMatch }, signal);
  };
  let end = await tail(FOOTER_BYTES);
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const length = view.getUint32(end.length - TRAILER_BYTES, true) + TRAILER_BYTES;
  const magic = new TextDecoder("latin1").decode(end.subarray(-4));
  if (magic !== "PAR1" || length > bytes) throw new ChunkError("it has no footer");
  if (length > end.length) end = await tail(length);
  const metadata = metadataOf(end);
  const facts = checkFooter(metadata, bytes - length);
  const text = metadata.key_value_metadata?.find((entry) => entry.key === "logvend")?.value;
  try {
    return { ...Footer.parse(JSON.parse(text ?? "")), rows: Number(metadata.num_rows), facts };
  } catch (cause) {
    throw new ChunkError("what it says of itself cannot be read", cause);
  }
}

function metadataOf(end: Uint8Array): FileMetaData {
  try {
    return parquetMetadata(new Uint8Array(end).buffer);
  } catch (cause) {
    throw new ChunkError("its footer cannot be read", cause);
  }
}
