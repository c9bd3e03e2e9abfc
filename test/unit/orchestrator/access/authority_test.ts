/** access/: who may ask, keys in files, what gets signed. */
import assert from "node:assert/strict";
import { Authority } from "../../../../orchestrator/access/authority.ts";
import { createKeyFile, readKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { signQuestion } from "../../../../orchestrator/access/sign.ts";
import { QueryClaims } from "../../../../protocol/signing/claims.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const NOW_MS = Date.parse("2026-11-22T10:00:00Z");

async function signed(nowMs = NOW_MS, selector = "") {
  const key = await readOperatorKey((await newOperatorKey()).pem);
  const question = await signQuestion({
    sql: "SELECT 1",
    selector,
    range: { since: null, until: null, implied: false },
    limits: { timeout_ms: 1, rows_max: 1, bytes_max: 1 },
    key,
    nowMs,
  });
  return { ...question, trust: [key.publicKey] };
}

function refuses(work: Promise<unknown>, pattern: RegExp) {
  return assert.rejects(
    work,
    (error) =>
      error instanceof LogvendError && error.code === "not_permitted" &&
      pattern.test(error.message),
  );
}

Deno.test("a question signed by a trusted key passes once", async () => {
  const { trust, ...question } = await signed();
  const authority = new Authority({ trust, now: () => NOW_MS });
  const { claims } = await authority.check(QueryClaims, question);
  assert.equal(claims.id, question.claims.id);
  await refuses(authority.check(QueryClaims, question), /was made before/);
});

Deno.test("unknown keys, altered SQL and expired signatures are refused", async () => {
  const { trust, ...question } = await signed();
  const at = (nowMs: number, keys: readonly string[] = trust) =>
    new Authority({ trust: keys, now: () => nowMs });
  await refuses(at(NOW_MS, []).check(QueryClaims, question), /is not pinned here/);
  await refuses(
    at(NOW_MS).check(QueryClaims, { ...question, sql: "SELECT 2" }),
    /not the one that was signed/,
  );
  await refuses(at(NOW_MS + 300_001).check(QueryClaims, question), /expired 1 s ago/);
  await refuses(at(NOW_MS - 60_000).check(QueryClaims, question), /in the future/);
});

Deno.test("a selector that is none is not signed", async () => {
  await assert.rejects(signed(NOW_MS, "region ="), LogvendError);
});

Deno.test("a key file is its owner's alone, is never overwritten, and reads back", async () => {
  await using folder = await TempFolder.make();
  const path = folder.join("sub", "operator.key");
  const publicKey = await createKeyFile(path);
  assert.equal((await readKeyFile(path)).publicKey, publicKey);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const before = await Deno.readTextFile(path);
  await assert.rejects(createKeyFile(path), /exists already, and is not overwritten/);
  assert.equal(await Deno.readTextFile(path), before);
  await assert.rejects(readKeyFile(folder.join("none")), /Cannot read the key/);
});
