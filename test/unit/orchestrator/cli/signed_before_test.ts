/** What an orchestrator shows as asked before is signed again only as the same key has signed it. */
import assert from "node:assert/strict";
import { createKeyFile, readKeyFile } from "../../../../orchestrator/access/key_file.ts";
import { signAction, signTail } from "../../../../orchestrator/access/sign.ts";
import { signedQuestion } from "../../../../orchestrator/cli/question.ts";
import type { QuestionOptions } from "../../../../orchestrator/cli/question.ts";
import { signedAsBefore } from "../../../../orchestrator/cli/signed_before.ts";
import type { ShownQuestion } from "../../../../orchestrator/cli/signed_before.ts";
import type { SignedQuestion } from "../../../../orchestrator/access/sign.ts";
import { signClaims } from "../../../../protocol/signing/signature.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const FIRST_MS = Date.parse("2026-11-22T10:00:00Z");
const LATER_MS = FIRST_MS + 20 * 3_600_000;
const SQL = "SELECT count(*) FROM logs";

const ASKED: QuestionOptions = {
  host: "web-1",
  since: "2h",
  until: "1h",
  source: "archive",
  force: true,
  timeout: "1m",
  maxRows: "77",
};

async function scene() {
  const folder = await TempFolder.make();
  const [key, otherKey] = [folder.join("own"), folder.join("other")];
  for (const path of [key, otherKey]) await createKeyFile(path);
  const users = await folder.write("users.csv", "id,name\n1,a\n");
  const ask = (options: Partial<QuestionOptions> = {}, sql = SQL) =>
    signedQuestion(sql, { ...ASKED, key, ...options }, FIRST_MS);
  const resume = (shown: ShownQuestion, options: Partial<QuestionOptions> = {}) =>
    signedAsBefore(shown, { timeout: "30s", key, ...options }, LATER_MS);
  return {
    ...{ key, otherKey, users, ask, resume },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** As an honest orchestrator shows it. */
function shown({ sql, token, claims }: SignedQuestion, name = claims.id.slice(0, 6)) {
  return { name: `q-${name}`, sql, token };
}

Deno.test("a question is signed again as it was, with a time of its own, however old it is", async () => {
  await using here = await scene();
  const first = await here.ask();
  const again = await here.resume(shown(first), { since: "all", host: "web-2", maxRows: "9" });
  const { id, issued_at_ms, expires_at_ms } = first.claims;
  assert.deepEqual({ ...again.claims, id, issued_at_ms, expires_at_ms }, first.claims);
  assert.notEqual(again.claims.id, id);
  assert.equal(again.claims.issued_at_ms, LATER_MS);
  assert.equal(again.sql, SQL);
  const longer = await here.resume(shown(first), { timeout: "5m" });
  assert.equal(longer.claims.limits.timeout_ms, 300_000);
  const explained = await here.resume(shown(first), { explain: true });
  assert.equal(explained.claims.explain, true);
});

Deno.test("tables that were sent along are those that are sent again", async () => {
  await using here = await scene();
  const own = [`users=${here.users}`];
  const first = await here.ask({ with: own });
  const again = await here.resume(shown(first), { with: own });
  assert.equal(again.claims.broadcast_sha256, first.claims.broadcast_sha256);
  await assert.rejects(here.resume(shown(first)), /with tables: give the same --with again/);
  await Deno.writeTextFile(here.users, "id,name\n2,b\n");
  await assert.rejects(here.resume(shown(first), { with: own }), /other tables than these/);
  await assert.rejects(here.resume(shown(await here.ask()), { with: own }), /asked without --with/);
});

Deno.test("nothing is signed that this key has not signed as what the user names", async () => {
  await using here = await scene();
  const first = await here.ask();
  const { name, token } = shown(first);
  const refused = async (given: Partial<ShownQuestion>, reason: RegExp) => {
    const error = await here.resume({ ...shown(first), ...given }).then(() => null, (one) => one);
    assert.equal(error?.code, "not_permitted");
    assert.match(
      error.message,
      /^The orchestrator does not show q-\w+ as your key has signed it: /,
    );
    assert.match(error.message, reason);
  };
  await refused({ sql: "SELECT * FROM logs" }, /the SQL is not the one that was signed/);
  const wide = await here.ask({ since: "all", host: "web-1,web-2" });
  await refused({ token: wide.token }, new RegExp(`it has shown ${wide.claims.id}`));
  const forged = await here.ask({ key: here.otherKey });
  await refused(shown(forged), /key ed25519:\S+ is not pinned here/);
  const [head = "", , signature = ""] = token.split(".");
  const payload = new TextEncoder().encode(JSON.stringify({ ...first.claims, selector: "" }))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  await refused({ token: `${head}.${payload}.${signature}` }, /the signature does not match/);
  await refused({ token: "" }, /not signed by an operator key/);
  await refused(shown(await here.ask({ explain: true })), /to be explained, not to be run/);
  await refused({ name: `${name.slice(0, 4)}` }, /it has shown/); // names too little
});

Deno.test("signatures of other kinds, and of what this version does not know, are none", async () => {
  await using here = await scene();
  const key = await readKeyFile(here.key);
  const signer = { key, nowMs: FIRST_MS };
  const { claims } = await here.ask();
  const narrower = await signClaims({ ...claims, ...{ only: ["status"] } }, key);
  const tail = { condition: SQL, stream: "logs", selector: "", rate: 1, ...signer };
  const tokens = [narrower, await signTail(tail), await signAction("cancel", SQL, signer)];
  for (const token of tokens) {
    await assert.rejects(
      here.resume({ name: claims.id, sql: SQL, token }),
      /as your key has signed it: .*signed request/,
    );
  }
});
