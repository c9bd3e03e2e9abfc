import assert from "node:assert/strict";
import { renderTable } from "../../../../queries/answer/table.ts";
import { cpuMsOf } from "../../../harness/turns.ts";

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

Deno.test("columns stay aligned below one another, however wide their characters are", () => {
  const rows = ["日本語", "naïve", "e\u0301te\u0301", "👩‍👩‍👧 ok", "🇪🇺", "ｆｕｌｌ"];
  const widths = [6, 5, 3, 5, 2, 8];
  const lines = renderTable([LINE, STATUS], rows.map((line) => ({ line, status: 200 }))).split(
    "\n",
  );
  for (const [i, text] of rows.entries()) {
    assert.equal(lines[i + 2], ` ${text}${" ".repeat(8 - (widths[i] ?? 0))} │    200`);
  }
});

Deno.test("a wide character is cut whole", () => {
  const lines = renderTable([LINE], [{ line: "日本語日本語" }, { line: "abcdefghij" }], {
    width: 8,
  });
  assert.deepEqual(lines.split("\n").slice(1, 4), ["────────", " 日本…", " abcde…"]);
});

Deno.test("more columns than a terminal has room for are still drawn, three cells each", () => {
  const columns = Array.from({ length: 9 }, (_, i) => ({ name: `column${i}`, type: "VARCHAR" }));
  const lines = renderTable(columns, [{ column0: "abc", column1: "abcd" }], { width: 10 });
  assert.match(lines, /^ co… │ co… │ co…/);
  assert.match(lines, /^ abc │ ab… │ NU…/m);
});

Deno.test("of a table longer than wanted the first rows are drawn, and the others counted", () => {
  const rows = [{ status: 1 }, { status: 2 }, { status: 3 }];
  const drawn = (...rest: [object?, number?]) => renderTable([STATUS], rows, ...rest).split("\n");
  assert.deepEqual(drawn({ rowsMax: 2 }).slice(2), [
    "      1",
    "      2",
    "… 1 more rows: use -o csv or -o parquet",
    "(3 rows)",
    "",
  ]);
  assert.deepEqual(drawn({ rowsMax: 3 }).slice(-2), ["(3 rows)", ""]);
  assert.deepEqual(drawn({}, 90_000).slice(-3, -1), [
    "… 89997 more rows: use -o csv or -o parquet",
    "(90000 rows)",
  ]);
});

Deno.test("a hundred thousand rows take a moment", () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => ({ status: i, line: `line ${i}` }));
  let lines: string[] = [];
  const takenMs = cpuMsOf(() => {
    lines = renderTable([STATUS, LINE], rows, { width: 80 }).split("\n");
  });
  assert.ok(takenMs < 10_000, `${takenMs} ms`);
  assert.equal(lines.length, 100_004);
  assert.equal(lines[99_999], "  99997 │ line 99997");
});
