/** Small tables of the asker's own, which travel with a query to every host, so that it can join them. */
import { z } from "zod";
import { BROADCAST_CHARACTERS_MAX } from "../signing/claims.ts";
import type { QueryClaims } from "../signing/claims.ts";
import { LogvendError, messageOf } from "../errors.ts";
import { Column } from "./messages.ts";
import { StreamName } from "../names.ts";
import { sha256Hex } from "../sha256.ts";
import { formatBytes } from "../units.ts";

/** Types stand in SQL as they are written: plain ones, and nothing that only begins like one. */
export const PlainType = z.string().regex(
  /^(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE|BOOLEAN|VARCHAR|BLOB|UUID|JSON|INTERVAL|DATE|TIME|TIME WITH TIME ZONE|TIMESTAMP|TIMESTAMP_(S|MS|NS)|TIMESTAMP WITH TIME ZONE|DECIMAL\(\d{1,2},\d{1,2}\))$/,
  "wanted a plain type, e.g. VARCHAR",
);

/** One table: `values` column by column, every value as text, null for NULL. */
export const BroadcastTable = z.object({
  name: StreamName,
  columns: z.array(Column.extend({ type: PlainType })).min(1),
  values: z.array(z.array(z.string().nullable())),
}).refine(
  ({ columns, values }) =>
    values.length === columns.length && values.every(({ length }) => length === values[0]?.length),
  "wanted as many values in every column",
);
export type BroadcastTable = z.infer<typeof BroadcastTable>;

/** As JSON, unpacked: what a host will hold. */
const JSON_BYTES_MAX = 2 ** 20;

/** Tables as they travel: base64 of gzip of their JSON. @throws {LogvendError} usage, when too large */
export async function packBroadcast(tables: readonly BroadcastTable[]): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(tables));
  const packed = await new Response(
    new Blob([json]).stream().pipeThrough(new CompressionStream("gzip")),
  ).bytes();
  const text = packed.toBase64();
  if (json.length <= JSON_BYTES_MAX && text.length <= BROADCAST_CHARACTERS_MAX) return text;
  throw new LogvendError(
    "usage",
    `The tables of --with have ${formatBytes(json.length)}, packed ${formatBytes(text.length)}; ` +
      `${formatBytes(JSON_BYTES_MAX)} and ${formatBytes(BROADCAST_CHARACTERS_MAX)} at most: ` +
      "leave out rows and columns that the query does not need",
  );
}

/** What `packBroadcast` packed. @throws {LogvendError} usage, for anything else */
export async function unpackBroadcast(text: string): Promise<BroadcastTable[]> {
  try {
    const bytes = new Blob([Uint8Array.fromBase64(text)]);
    const json = await boundedText(bytes.stream().pipeThrough(new DecompressionStream("gzip")));
    return z.array(BroadcastTable).parse(JSON.parse(json));
  } catch (cause) {
    if (cause instanceof LogvendError) throw cause;
    throw new LogvendError("usage", `These are no tables for --with: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** A few kilobytes may unpack to gigabytes. */
async function boundedText(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > JSON_BYTES_MAX) {
      throw new LogvendError("usage", "The tables of --with are too large");
    }
    pieces.push(piece);
  }
  return await new Blob(pieces).text();
}

/** What is signed of packed tables. */
export function broadcastHash(text: string | undefined): Pick<QueryClaims, "broadcast_sha256"> {
  return text === undefined ? {} : { broadcast_sha256: sha256Hex(text) };
}

/** The tables that were signed with a query. @throws {LogvendError} not_permitted, usage */
export async function signedBroadcast(
  { broadcast_sha256: signed }: QueryClaims,
  text: string | undefined,
): Promise<BroadcastTable[]> {
  if (signed !== broadcastHash(text).broadcast_sha256) {
    throw new LogvendError("not_permitted", "the tables of --with are not those that were signed");
  }
  return text === undefined ? [] : await unpackBroadcast(text);
}
