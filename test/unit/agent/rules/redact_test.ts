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

Deno.test("a pattern sees what JSON's escapes hide, and changes no line without it", () => {
  const text = (pattern: string, line: string) =>
    createRedactor([{ pattern, by: "mask" }])?.text(line);
  const check = (pattern: string, line: string, wanted = line) =>
    assert.equal(text(pattern, line), wanted, line);
  const r = String.raw;
  check("secret", r`{"a":"se\u0063ret","b":"x\/y"}`, '{"a":"***","b":"x/y"}');
  check("secret", r`{"a":"c\/d \u0061nd"}`);
  check('(?<="pin":")[^"]+', r`{"p\u0069n":"47\u00311"}`, '{"pin":"***"}');
  check('a"b', r`{"k":"x a\"b \\ y"}`, r`{"k":"x *** \\ y"}`);
  check("token-\\w+", r`{"log":"{\"t\":\"tok\\u0065n-x1\"}\n"}`, r`{"log":"{\"t\":\"***\"}\n"}`);
  check("token-\\w+", r`msg="a tok\u0065n-x1" n=1`, 'msg="a ***" n=1');
  check(r`M\\u00fcller`, r`{"a":"M\u00fcller \n"}`, r`{"a":"*** \n"}`);
  check("secret", r`{"a":"bad \x escape"} and "se\u0063ret`);
  check("secret", r`"se\u0063ret" "\q"`, r`"***" "\q"`);
});

Deno.test("what a pattern has hashed is not hashed again behind an escape", async () => {
  await using folder = await TempFolder.make();
  const key = { file: await folder.write("key", `${KEY}\n`) };
  const redactor = createRedactor([{ pattern: '(?<=token=)[^& "]+', by: "hash", key }]);
  const hashOf = (line: string) => /token=(\w+)/.exec(redactor?.text(line) ?? "")?.[1];
  assert.equal(hashOf(String.raw`{"u":"\"x\" ?token=abc"}`), hashOf("GET /?token=abc HTTP/1.1"));
});
