/** Selectors: what each test matches, the error texts, and the round trip through text. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import {
  formatSelector,
  matches,
  matchesKnown,
  namedHosts,
  parseSelector,
} from "../../../../protocol/selector/selector.ts";
import type { Selector } from "../../../../protocol/selector/selector.ts";

const WEB_1 = {
  host: "web-1",
  region: "eu-west-1",
  service: "web-server",
  cores: "8",
  owner: "team a",
};

Deno.test("each test of a label matches what it says", () => {
  const check = (selector: string, expected: boolean) =>
    assert.equal(matches(parseSelector(selector), WEB_1), expected, selector);
  check("", true);
  check("  ", true);
  check("region in (eu-west-1, us-east-1) and service = web-server", true);
  check("region in (us-east-1)", false);
  check("host==web-1", true);
  check("host = WEB-1", false);
  check("service != api", true);
  check("service != web-server", false);
  check("region notin (us-east-1, us-east-2)", true);
  check("region not in (eu-west-1)", false);
  check("service exists", true);
  check("!service", false);
  check("!canary", true);
  check("not canary exists", true);
  check("cores gt 7.5 AND cores lt 9", true);
  check("cores gt 8 or cores lt 8", false);
  check("owner = 'team a' and owner = \"team a\"", true);
  check("host = a or host = web-1 and service = api", false);
  check("(host = a or host = web-1) and not (service = api)", true);
});

Deno.test("a missing label equals nothing, and a label that is no number compares with none", () => {
  const check = (selector: string, expected: boolean) =>
    assert.equal(
      matches(parseSelector(selector), { empty: "", word: "eight" }),
      expected,
      selector,
    );
  check("canary = yes", false);
  check("canary in (yes, no)", false);
  check("canary != yes", true);
  check("canary notin (yes, no)", true);
  for (const key of ["canary", "empty", "word"]) {
    check(`${key} gt -1`, false);
    check(`${key} lt 1`, false);
  }
  check("constructor exists", false);
});

Deno.test("a selector that is wrong is refused with the column and what was wanted", () => {
  const check = (selector: string, message: string) =>
    assert.throws(() => parseSelector(selector), new LogvendError("usage", message), selector);
  check(
    "region",
    "In the selector at column 7: found the end; wanted =, !=, in, notin, exists, gt or lt",
  );
  check(
    "a ~ b",
    'In the selector at column 3: found "~"; wanted =, !=, in, notin, exists, gt or lt',
  );
  check("a =", "In the selector at column 4: found the end; wanted a value");
  check("a = and b = c", 'In the selector at column 5: found "and"; wanted a value');
  check("a = b c = d", 'In the selector at column 7: found "c"; wanted and, or, or the end');
  check("a in ()", 'In the selector at column 7: found ")"; wanted a value');
  check("a in (b c)", 'In the selector at column 9: found "c"; wanted , or )');
  check("a not b", 'In the selector at column 7: found "b"; wanted in');
  check("cores gt many", 'In the selector at column 10: found "many"; wanted a number');
  check("(a = b", "In the selector at column 7: found the end; wanted )");
  check("= b", 'In the selector at column 1: found "="; wanted a label, not, ! or (');
  check("a = 'b", "In the selector at column 5: the quote never ends");
  check("not ".repeat(40) + "a exists", "A selector nests at most 32 levels deep");
  check("a".repeat(5_000), "A selector of 5000 characters is too long: 4096 at most");
});

Deno.test("hosts are named at the top level of ands only", () => {
  const check = (selector: string, expected: string[]) =>
    assert.deepEqual(namedHosts(parseSelector(selector)), expected, selector);
  check("", []);
  check("host = a", ["a"]);
  check("host in (a, b, a) and region = r", ["a", "b"]);
  check("host in (a, b) and (region = r and host in (b, c))", ["b"]);
  check("host = a or region = r", []);
  check("not host = a", []);
  check("host != a", []);
});

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const text = fc.string({ unit: "grapheme", maxLength: 12 });
const key = fc.oneof(fc.constantFrom("host", "region", "and", "not"), text);
const leaf: fc.Arbitrary<Selector> = fc.oneof(
  record({
    kind: fc.constantFrom("in" as const, "notin" as const),
    key,
    values: fc.array(text, { minLength: 1, maxLength: 3 }),
  }),
  record({ kind: fc.constant("exists" as const), key }),
  record({
    kind: fc.constantFrom("gt" as const, "lt" as const),
    key,
    value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  }),
);
const { selector } = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    record({ kind: fc.constant("not" as const), of: tie("selector") }),
    record({
      kind: fc.constantFrom("and" as const, "or" as const),
      of: fc.array(tie("selector"), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

Deno.test("a selector written as text reads back as the same", () => {
  fc.assert(fc.property(selector, (original) => {
    assert.deepEqual(parseSelector(formatSelector(original)), original);
  }));
  const everything = parseSelector("");
  assert.equal(formatSelector(everything), "");
  assert.equal(
    formatSelector({ kind: "and", of: [everything, parseSelector("host==a")] }),
    "host = a",
  );
});

Deno.test("any text either parses or is refused as usage", () => {
  const pieces = fc.constantFrom("a", "in", "(", ")", "=", "!", ",", "'", '"', " ", "not", "and");
  fc.assert(fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
    try {
      parseSelector(parts.join(" "));
    } catch (error) {
      assert(error instanceof LogvendError && error.code === "usage");
    }
  }));
});

Deno.test("where only some labels are known, the others may decide", () => {
  const known = { host: "web-1", region: "eu" };
  const check = (text: string, expected: boolean | null) =>
    assert.equal(matchesKnown(parseSelector(text), known), expected, text);
  check("", true);
  check("host = web-1 and region in (eu, us)", true);
  check("host = web-2", false);
  check("service = api", null);
  check("!service", null);
  check("service = api and host = web-2", false);
  check("service = api or host = web-1", true);
  check("not (service = api and host = web-2)", true);
  check("not service = api", null);
});
