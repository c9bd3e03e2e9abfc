/** JSON lines in the body of a POST, with a signature over them. */
import { createHmac } from "node:crypto";
import type { Post } from "./https.ts";
import { ALL_TAKEN, httpError, withoutClosing } from "./sink.ts";
import type { Sink } from "./sink.ts";

export interface WebhookOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Of the HMAC; null: the body is not signed. */
  secret: Uint8Array | null;
  post: Post;
}

/**
 * `x-logvend-signature: t=<seconds>,v1=<hex>`: HMAC-SHA-256 of the seconds, a dot and the body. Who
 * checks the time as well is safe from replays.
 */
export function webhookSink({ url: text, headers, secret, post }: WebhookOptions): Sink {
  const url = new URL(text);
  return withoutClosing(async (events, signal) => {
    const body = events.map((event) => `${event.body}\n`).join("");
    const seconds = Math.floor(Date.now() / 1_000);
    const signature = secret === null
      ? {}
      : { "x-logvend-signature": signed(secret, seconds, body) };
    const type = { "content-type": "application/x-ndjson" };
    const response = await post(
      url,
      { headers: { ...headers, ...type, ...signature }, body },
      signal,
    );
    if (!response.ok) throw await httpError(response, url.host);
    await response.body?.cancel();
    return ALL_TAKEN;
  });
}

function signed(secret: Uint8Array, seconds: number, body: string): string {
  const digits = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digits}`;
}
