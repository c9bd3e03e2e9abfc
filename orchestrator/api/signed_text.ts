/** The body of a request: SQL, with the operator's signature in a header. */
import { z } from "zod";
import { BROADCAST_CHARACTERS_MAX, SQL_BYTES_MAX } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";

/** What was signed, with the signature. */
export interface SignedText {
  sql: string;
  token: string;
  /** Packed tables (protocol/wire/broadcast.ts). */
  broadcast?: string | undefined;
}

/** SQL with tables: the body of type application/json. */
const SqlWithTables = z.object({
  sql: z.string(),
  broadcast: z.string().max(BROADCAST_CHARACTERS_MAX).optional(),
});

/** JSON escapes some characters. */
const JSON_BYTES_MAX = 2 * SQL_BYTES_MAX + BROADCAST_CHARACTERS_MAX;

/** @throws {LogvendError} not_permitted without a signature, usage for too long a text */
export async function signedText(request: Request): Promise<SignedText> {
  const token = request.headers.get("logvend-signature");
  if (token === null) {
    throw new LogvendError(
      "not_permitted",
      "The request has no Logvend-Signature header; logvend key sign makes one",
    );
  }
  if (request.headers.get("content-type") !== "application/json") {
    return { sql: await boundedText(request, SQL_BYTES_MAX), token };
  }
  const text = await boundedText(request, JSON_BYTES_MAX);
  try {
    return { ...SqlWithTables.parse(JSON.parse(text)), token };
  } catch (cause) {
    const wanted = 'wanted {"sql": …, "broadcast": …}';
    throw new LogvendError("usage", `The body is other JSON than expected; ${wanted}`, { cause });
  }
}

async function boundedText(request: Request, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.length;
    if (size > bytesMax) throw new LogvendError("usage", `The body is over ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return await new Blob(pieces as BlobPart[]).text(); // BlobPart: none of them is shared memory
}
