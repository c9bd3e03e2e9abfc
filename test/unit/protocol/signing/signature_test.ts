/** Signatures: only what a pinned key signed, for this SQL and this moment, is accepted. */
import assert from "node:assert/strict";
import { CompactSign } from "jose";
import {
  CLAIMS_LIFETIME_MAX_MS,
  CLOCK_SKEW_MAX_MS,
  QueryClaims,
} from "../../../../protocol/signing/claims.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import {
  isPublicKey,
  newOperatorKey,
  readOperatorKey,
  signClaims,
  verifyClaims,
} from "../../../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../../../protocol/signing/signature.ts";

const SQL = "SELECT count(*) FROM logs";
const NOW_MS = Date.UTC(2026, 10, 22, 12);

function claimsFor(changes: Partial<QueryClaims> = {}): QueryClaims {
  return {
    kind: "query",
    id: crypto.randomUUID(),
    sql_sha256: sha256Hex(SQL),
    selector: "",
    range: { since: null, until: null, implied: true },
    now: new Date(NOW_MS).toISOString(),
    limits: { timeout_ms: 10_000, rows_max: 100_000, bytes_max: 64e6 },
    issued_at_ms: NOW_MS,
    expires_at_ms: NOW_MS + 60_000,
    ...changes,
  };
}

async function newKey(): Promise<OperatorKey> {
  return await readOperatorKey((await newOperatorKey()).pem);
}

async function check(token: string, trust: readonly string[], message: RegExp, sql = SQL) {
  await assert.rejects(verifyClaims({ schema: QueryClaims, token, sql, trust, nowMs: NOW_MS }), {
    code: "not_permitted",
    message,
  });
}

Deno.test("a key read back from its PEM has the public half that was printed", async () => {
  const { pem, publicKey } = await newOperatorKey();
  assert(isPublicKey(publicKey));
  assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n[^]*\n-----END PRIVATE KEY-----\n$/);
  assert.equal((await readOperatorKey(pem)).publicKey, publicKey);
  await assert.rejects(readOperatorKey("no key"), { code: "usage" });
});

Deno.test("what a pinned key signed is accepted, with its claims unchanged", async () => {
  const key = await newKey();
  const claims = claimsFor();
  const token = await signClaims(claims, key);
  const trust = [(await newKey()).publicKey, key.publicKey];
  assert.deepEqual(
    await verifyClaims({ schema: QueryClaims, token, sql: SQL, trust, nowMs: NOW_MS }),
    {
      claims,
      publicKey: key.publicKey,
    },
  );
});

Deno.test("unsigned, altered and foreign requests are refused", async () => {
  const key = await newKey();
  const token = await signClaims(claimsFor(), key);
  const trust = [key.publicKey];
  const [header = "", payload = "", signature = ""] = token.split(".");
  const other = await signClaims(claimsFor({ selector: "host = a" }), key);
  await check("", trust, /^not signed by an operator key$/);
  await check("a.b.c", trust, /^not signed by an operator key$/);
  await check(`${header}.${payload}.`, trust, /^the signature does not match$/);
  await check(`${header}.${other.split(".")[1]}.${signature}`, trust, /signature does not match$/);
  await check(token, trust, /^the SQL is not the one that was signed$/, `${SQL} `);
  await check(token, [], /^key ed25519:\S+ is not pinned here$/);
  await check(token, [(await newKey()).publicKey], /^key ed25519:\S+ is not pinned here$/);
});

Deno.test("another key cannot sign in the name of a pinned one", async () => {
  const pinned = await newKey();
  const thief = await newKey();
  const token = await signClaims(claimsFor(), { ...thief, publicKey: pinned.publicKey });
  await check(token, [pinned.publicKey], /^the signature does not match$/);
});

Deno.test("requests are accepted only within their time", async () => {
  const key = await newKey();
  const trust = [key.publicKey];
  const sign = async (issuedAtMs: number, lifetimeMs: number) =>
    await signClaims(
      claimsFor({ issued_at_ms: issuedAtMs, expires_at_ms: issuedAtMs + lifetimeMs }),
      key,
    );
  const skewed = await sign(NOW_MS + CLOCK_SKEW_MAX_MS, CLAIMS_LIFETIME_MAX_MS);
  assert.ok(
    await verifyClaims({ schema: QueryClaims, token: skewed, sql: SQL, trust, nowMs: NOW_MS }),
  );
  await check(await sign(NOW_MS - 1_000, 1_000), trust, /^expired 0 s ago$/);
  await check(await sign(NOW_MS - 5_500, 1_000), trust, /^expired 5 s ago$/);
  await check(await sign(NOW_MS + 360_000, 1_000), trust, /^signed 360 s in the future: compare/);
  await check(await sign(NOW_MS, CLAIMS_LIFETIME_MAX_MS + 1), trust, /longer than 5 minutes$/);
});

Deno.test("a signed text that holds no claims is refused as malformed", async () => {
  const key = await newKey();
  const token = await new CompactSign(new TextEncoder().encode('{"kind":"query"}'))
    .setProtectedHeader({ alg: "EdDSA", kid: key.publicKey })
    .sign(key.privateKey);
  await assert.rejects(
    verifyClaims({ schema: QueryClaims, token, sql: SQL, trust: [key.publicKey], nowMs: NOW_MS }),
    { code: "usage", message: /^A signed request is malformed/ },
  );
});
