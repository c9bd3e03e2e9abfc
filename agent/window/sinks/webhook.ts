/** JSON lines in the body of a POST, with a signature over them. */
import { createHmac } from "node:crypto";
import { ALL_TAKEN, httpError, withoutClosing } from "./sink.ts";
import type { Sink } from "./sink.ts";

export interface WebhookOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Of the HMAC; null: the body is not signed. */
  secret: Uint8Array | null;
}

/**
 * `x-logvend-signature: t=<seconds>,v1=<hex>`: HMAC-SHA-256 of the seconds, a dot and the body. Who
 * checks the time as well is safe from replays.
 */
export function webhookSink({ url, headers, secret }: WebhookOptions): Sink {
  return withoutClosing(async (events, signal) => {
    const body = events.map((event) => `${event.body}\n`).join("");
    const seconds = Math.floor(Date.now() / 1_000);
    const signature = secret === null
      ? {}
      : { "x-logvend-signature": signed(secret, seconds, body) };
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/x-ndjson", ...signature },
      body,
      signal,
      redirect: "error",
    });
    if (!response.ok) throw await httpError(response, url);
    await response.body?.cancel();
    return ALL_TAKEN;
  });
}

function signed(secret: Uint8Array, seconds: number, body: string): string {
  const digits = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digits}`;
}
