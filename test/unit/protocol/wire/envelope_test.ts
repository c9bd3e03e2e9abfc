/** Envelopes: what goes in comes out, and nothing else is taken for one. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { z } from "zod";
import { MESSAGE_BYTES_MAX, open, parseBody, seal } from "../../../../protocol/wire/envelope.ts";
import { LogvendError } from "../../../../protocol/errors.ts";

Deno.test("a sealed message opens as what was sealed", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.string({ maxLength: 32 }), (value, type) => {
    const body: unknown = JSON.parse(JSON.stringify(value)); // -0 is 0 in JSON
    const message = { type, body, id: "m-1", reply: "a/b", issuedAtMs: 1, expiresAtMs: 2 };
    assert.deepEqual(open(seal(message)), {
      v: 1,
      id: "m-1",
      type,
      issued_at_ms: 1,
      expires_at_ms: 2,
      reply: "a/b",
      body,
    });
  }));
});

Deno.test("every message gets its own id", () => {
  const message = { type: "ack", body: null, issuedAtMs: 1 };
  assert.notEqual(open(seal(message)).id, open(seal(message)).id);
});

Deno.test("a message over the limit is neither sent nor read", () => {
  const body = "x".repeat(MESSAGE_BYTES_MAX);
  assert.throws(() => seal({ type: "result", body, issuedAtMs: 1 }), {
    code: "internal",
    message: /^Cannot send a result message of 131\d{3} bytes: 131072 at most$/,
  });
  assert.throws(() => open(new Uint8Array(MESSAGE_BYTES_MAX + 1)), {
    code: "usage",
    message: "A message of 131073 bytes is over the limit",
  });
});

Deno.test("bytes that are no envelope are refused as usage, whatever they are", () => {
  const check = (payload: string | Uint8Array, message: RegExp) => {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    assert.throws(() => open(bytes), { code: "usage", message });
  };
  check("", /no JSON/);
  check(new Uint8Array([0x22, 0xff, 0x22]), /no JSON/);
  check("[]", /malformed/);
  check('{"v":2}', /malformed at "v"/);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assert.throws(() => open(bytes), LogvendError);
  }));
});

Deno.test("a malformed body names its first wrong field", () => {
  const schema = z.object({ rows: z.array(z.object({ count: z.int() })) });
  assert.throws(() => parseBody(schema, { rows: [{ count: 1.5 }] }, "result"), {
    code: "usage",
    message: /^A result is malformed at "rows\.0\.count": /,
  });
});
