import assert from "node:assert/strict";
import { renderTable } from "../../../../queries/answer/table.ts";

const STATUS = { name: "status", type: "INTEGER" };
const LINE = { name: "line", type: "VARCHAR" };

Deno.test("a table has a header, a line, numbers at the right and a count", () => {
  const rows = [{ status: 200, requests: 55821 }, { status: 304, requests: 1982 }];
  assert.equal(
    renderTable([STATUS, { name: "requests", type: "BIGINT" }], rows),
    [
      " status │ requests",
      "────────┼──────────",
      "    200 │    55821",
      "    304 │     1982",
      "(2 rows)",
      "",
    ].join("\n"),
  );
});

Deno.test("large whole numbers keep their digits, and stay at the right", () => {
  const columns = [{ name: "sum", type: "HUGEINT" }];
  const rows = [{ sum: "170141183460469231731687303715884105727" }, { sum: 1 }];
  const lines = renderTable(columns, rows).split("\n");
  assert.equal(lines[2], " 170141183460469231731687303715884105727");
  assert.equal(lines[3], " 1".padStart(40));
});

Deno.test("NULL differs from an empty text, and is dim in colour", () => {
  const rows = [{ line: null }, { line: "" }];
  assert.deepEqual(renderTable([LINE], rows).split("\n").slice(2, 4), [" NULL", ""]);
  assert.ok(renderTable([LINE], rows, { color: true }).includes("\x1b[2mNULL\x1b[22m"));
});

Deno.test("rows are cut to the terminal, and only then", () => {
  const rows = [{ status: 200, line: "x".repeat(300) }, { status: 200, line: "日本".repeat(50) }];
  for (const line of renderTable([STATUS, LINE], rows, { width: 40 }).split("\n")) {
    assert.ok([...line].length <= 40, line);
  }
  assert.match(renderTable([STATUS, LINE], rows, { width: 40 }), /x…/);
  assert.match(renderTable([STATUS, LINE], rows), /x{300}\n/);
  assert.match(renderTable([STATUS, LINE], rows), /(日本){50}\n/);
});

Deno.test("control characters of a log line do not reach the terminal", () => {
  const rows = [{ line: "a\x1b[31mb\r\n\x07\u202e" }];
  const text = renderTable([LINE], rows);
  assert.match(text, /a\\u001b\[31mb\\r\\n\\u0007\\u202e/);
});

Deno.test("lists are shown as JSON, and one row is a row", () => {
  assert.equal(
    renderTable([{ name: "l", type: "INTEGER[]" }], [{ l: [1, null] }]),
    " l\n──────────\n [1,null]\n(1 row)\n",
  );
});

Deno.test("ten thousand rows take a moment, in one piece", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ status: i, line: `line ${i}` }));
  const lines = renderTable([STATUS, LINE], rows, { width: 80 }).split("\n");
  assert.equal(lines.length, 10_004);
  assert.equal(lines[9_999], "   9997 │ line 9997");
});
