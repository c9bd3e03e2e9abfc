/** Certificates of tests: a server on loopback, the authority that signed it, and one that did not. */
import { fileURLToPath } from "node:url";

const pem = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

/** Paths of PEM files. */
export const AUTHORITY = pem("authority.pem");
export const STRANGER = pem("stranger.pem");

/** Of the server: for 127.0.0.1 and localhost. */
export const CERTIFICATE = pem("server.pem");
export const KEY = pem("server_key.pem");

/** Options of a server with TLS; none without. */
export function tlsOf(isEncrypted: boolean): { cert: string; key: string } | Record<never, never> {
  if (!isEncrypted) return {};
  return { cert: Deno.readTextFileSync(CERTIFICATE), key: Deno.readTextFileSync(KEY) };
}
