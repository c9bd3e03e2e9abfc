/** Whom a record of an erasure convinces: keys that may erase, in the fleet that they signed it for. */
import assert from "node:assert/strict";
import { signErasure } from "../../../../orchestrator/access/sign.ts";
import { EraseClaims } from "../../../../protocol/signing/claims.ts";
import { verifyErasure } from "../../../../protocol/signing/erasure.ts";
import type { ErasureRecord } from "../../../../protocol/signing/erasure.ts";
import {
  newOperatorKey,
  readOperatorKey,
  signClaims,
} from "../../../../protocol/signing/signature.ts";

const { pem, publicKey } = await newOperatorKey();
const key = await readOperatorKey(pem);
const WHERE = "status = 500";

async function signed(nowMs = Date.now()): Promise<ErasureRecord> {
  const { record } = await signErasure({
    fleet: "production",
    where: WHERE,
    stream: "logs",
    selector: "",
    since: "2026-11-22T18:00:00.000Z",
    until: "2026-11-22T20:00:00.000Z",
    columns: [{ name: "status", type: "INTEGER" }],
    key,
    nowMs,
  });
  return record;
}

/** As it was signed when no fleet was named. */
async function signedForNone(nowMs: number): Promise<ErasureRecord> {
  const payload = (await signed(nowMs)).token.split(".")[1] ?? "";
  const text = new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" }));
  const { fleet: _, ...claims } = EraseClaims.parse(JSON.parse(text));
  return { where: WHERE, token: await signClaims(claims, key) };
}

const verify = (record: ErasureRecord, fleet = "production") =>
  verifyErasure(record, { fleet, eraseTrust: [publicKey] });

Deno.test("a record holds for good, whoever shows it, but for an altered one", async () => {
  const old = await signed(Date.now() - 1e11);
  const record = await signed(Date.now() + 3_600_000); // by a host's clock that is behind
  for (const one of [old, record]) assert.equal((await verify(one)).where, WHERE);
  await assert.rejects(verify({ ...record, where: "" }), /not the one that was signed/);
});

Deno.test("a record erases nothing of another fleet, though its key may erase there too", async () => {
  const record = await signed();
  assert.equal((await verify(record)).fleet, "production");
  await assert.rejects(
    verify(record, "staging"),
    /it was signed for the fleet "production", and this is "staging" \(fleet in the configuration/,
  );
});

Deno.test("a record of the time when no fleet was named stays in force; a later one without is none", async () => {
  const before = await signedForNone(Date.parse("2026-11-29T23:59:59Z"));
  for (const fleet of ["production", "staging"]) {
    assert.equal((await verify(before, fleet)).where, WHERE);
  }
  await assert.rejects(
    verify(await signedForNone(Date.parse("2026-11-30T00:00:00Z"))),
    /it was signed for no fleet: sign it with a newer logvend/,
  );
});
