/** The body of a request: SQL, with the operator's signature in a header. */
import { SQL_BYTES_MAX } from "../../protocol/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";

/** @throws {LogvendError} not_permitted without a signature, usage for too long a text */
export async function signedText(request: Request): Promise<{ sql: string; token: string }> {
  const token = request.headers.get("logvend-signature");
  if (token === null) {
    throw new LogvendError(
      "not_permitted",
      "The request has no Logvend-Signature header; logvend key sign makes one",
    );
  }
  return { sql: await boundedText(request, SQL_BYTES_MAX), token };
}

async function boundedText(request: Request, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.length;
    if (size > bytesMax) throw new LogvendError("usage", `The SQL is over ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return await new Blob(pieces as BlobPart[]).text(); // BlobPart: none of them is shared memory
}
