/**
 * Operator keys (Ed25519) and signed claims (JWS compact, RFC 7515 and RFC 8037).
 * A public key is written `ed25519:<base64url of its 32 bytes>`; that text is its key id too.
 */
import { CompactSign, compactVerify, decodeProtectedHeader } from "jose";
import type { JWK } from "jose";
import type { ZodType } from "zod";
import { CLAIMS_LIFETIME_MAX_MS, CLOCK_SKEW_MAX_MS } from "./claims.ts";
import type {
  CancelClaims,
  EraseClaims,
  QueryClaims,
  ResumeClaims,
  RetireClaims,
  TailClaims,
} from "./claims.ts";
import { sha256Hex } from "../sha256.ts";
import { parseBody } from "../wire/envelope.ts";
import { LogvendError, messageOf } from "../errors.ts";

const PUBLIC_KEY = /^ed25519:([A-Za-z0-9_-]{43})$/;

/** Says whether a text has the form of a public key. */
export function isPublicKey(text: string): boolean {
  return PUBLIC_KEY.test(text);
}

/** A private key and the public half that agents pin. */
export interface OperatorKey {
  privateKey: CryptoKey;
  publicKey: string;
}

/** Makes a key pair. `pem` is the private half, PKCS#8. */
export async function newOperatorKey(): Promise<{ pem: string; publicKey: string }> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("Ed25519 gave no key pair");
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return {
    pem: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`,
    publicKey: await publicKeyText(pair.publicKey),
  };
}

/** Reads a PKCS#8 PEM. @throws {LogvendError} usage */
export async function readOperatorKey(pem: string): Promise<OperatorKey> {
  try {
    const body = pem.replace(/-----(BEGIN|END) PRIVATE KEY-----/g, "").replace(/\s+/g, "");
    const der = Uint8Array.fromBase64(body);
    const privateKey = await crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
    const jwk = await crypto.subtle.exportKey("jwk", privateKey);
    return { privateKey, publicKey: `ed25519:${jwk.x}` };
  } catch (cause) {
    throw new LogvendError("usage", `No Ed25519 private key in PEM form: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** What an operator signs. */
export type Claims =
  | QueryClaims
  | TailClaims
  | CancelClaims
  | ResumeClaims
  | RetireClaims
  | EraseClaims;

/** Signs claims: the token that travels beside the SQL. */
export async function signClaims(claims: Claims, key: OperatorKey): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "EdDSA", kid: key.publicKey })
    .sign(key.privateKey);
}

/** What came, and what it is checked against. */
export interface VerifyRequest<Kind extends Claims> {
  /** Of what must have been signed: one of Claims. */
  schema: ZodType<Kind>;
  token: string;
  sql: string;
  /** Pinned public keys; none pinned: nothing is accepted. */
  trust: readonly string[];
  nowMs: number;
  /** Until when they hold, where that is not `expires_at_ms`. */
  holdsUntilMs?: (claims: Kind) => number;
}

/** Checked claims and the key that signed them. Replay and selector are the caller's to check. */
export interface Verified<Kind extends Claims> {
  claims: Kind;
  publicKey: string;
}

/**
 * Checks signature, pinned key, SQL and times.
 * @throws {LogvendError} not_permitted, with a reason fit for the asker
 */
export async function verifyClaims<Kind extends Claims>(
  request: VerifyRequest<Kind>,
): Promise<Verified<Kind>> {
  const publicKey = signerOf(request.token);
  if (!request.trust.includes(publicKey)) {
    throw new LogvendError("not_permitted", `key ${publicKey} is not pinned here`);
  }
  const payload = await verifySignature(request.token, publicKey);
  const claims = parseBody(request.schema, payload, "signed request");
  if (sha256Hex(request.sql) !== claims.sql_sha256) {
    throw new LogvendError("not_permitted", "the SQL is not the one that was signed");
  }
  const aheadMs = claims.issued_at_ms - request.nowMs;
  if (aheadMs > CLOCK_SKEW_MAX_MS) {
    throw new LogvendError(
      "not_permitted",
      `signed ${Math.round(aheadMs / 1_000)} s in the future: compare the clocks`,
    );
  }
  if (claims.expires_at_ms - claims.issued_at_ms > CLAIMS_LIFETIME_MAX_MS) {
    throw new LogvendError("not_permitted", "signed for longer than 5 minutes");
  }
  const untilMs = request.holdsUntilMs?.(claims) ?? claims.expires_at_ms;
  if (untilMs <= request.nowMs) {
    const pastMs = request.nowMs - untilMs;
    throw new LogvendError("not_permitted", `expired ${Math.ceil(pastMs / 1_000)} s ago`);
  }
  return { claims, publicKey };
}

function signerOf(token: string): string {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (alg === "EdDSA" && typeof kid === "string" && isPublicKey(kid)) return kid;
  } catch {
    // Not a JWS at all: the same answer as for one without our header.
  }
  throw new LogvendError("not_permitted", "not signed by an operator key");
}

/** jose imports a key once for every object that it is given. Only pinned keys come here: a few. */
const keys = new Map<string, JWK>();

function keyOf(publicKey: string): JWK {
  const key = keys.get(publicKey) ??
    { kty: "OKP", crv: "Ed25519", x: publicKey.slice("ed25519:".length) };
  keys.set(publicKey, key);
  return key;
}

async function verifySignature(token: string, publicKey: string): Promise<unknown> {
  let payload: Uint8Array;
  try {
    payload = (await compactVerify(token, keyOf(publicKey), { algorithms: ["EdDSA"] })).payload;
  } catch (cause) {
    throw new LogvendError("not_permitted", "the signature does not match", { cause });
  }
  return JSON.parse(new TextDecoder().decode(payload));
}

async function publicKeyText(key: CryptoKey): Promise<string> {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key));
  return `ed25519:${raw.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}
