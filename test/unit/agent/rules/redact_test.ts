import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createRedactor, patternProblem, secretOf } from "../../../../agent/rules/redact.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const KEY = "a key of more than 16 bytes";

Deno.test("a pattern replaces every match, a field its value, and what says nothing stays", () => {
  const redactor = createRedactor([
    { pattern: "(?<=token=)[^& ]+", by: "mask" },
    { field: "remote_user", by: "mask" },
  ]);
  assert.equal(redactor?.text("GET /a?token=abc&token=d x"), "GET /a?token=***&token=*** x");
  const replace = redactor?.fields.get("remote_user");
  assert.deepEqual(["alice", "-", ""].map((value) => replace?.(value)), ["***", "-", ""]);
  assert.equal(createRedactor([]), null);
});

Deno.test("a hash is the first 16 digits of HMAC-SHA-256, the same for the same value", async () => {
  await using folder = await TempFolder.make();
  const file = await folder.write("key", `${KEY}\n`);
  const redactor = createRedactor([{ field: "remote_addr", by: "hash", key: { file } }]);
  const wanted = createHmac("sha256", KEY).update("10.0.0.1").digest("hex").slice(0, 16);
  const replace = redactor?.fields.get("remote_addr");
  assert.deepEqual(["10.0.0.1", "10.0.0.1"].map((value) => replace?.(value)), [wanted, wanted]);
});

Deno.test("keys that are missing or short are refused", async () => {
  await using folder = await TempFolder.make();
  const short = await folder.write("short", "0123456789abcde\n");
  assert.throws(() => secretOf({ file: short }), { code: "bad_config", message: /has 15 bytes/ });
  assert.throws(() => secretOf({ file: folder.join("none") }), { message: /no such file/ });
  assert.throws(() => secretOf({ env: "LOGVEND_NO_SUCH_KEY" }), { message: /is not set/ });
});

Deno.test("a pattern that is none, or matches nothing at all, is named", () => {
  assert.equal(patternProblem("a+"), null);
  assert.match(patternProblem("a(") ?? "", /^a JavaScript regular expression \(.*[Uu]nterminated/);
  assert.equal(patternProblem("a*"), "a pattern that does not match an empty text");
});
