/** cli/table_rows.ts: of a long table the first rows are kept, and the others counted. */
import assert from "node:assert/strict";
import { TableRows } from "../../../../orchestrator/cli/table_rows.ts";

const COLUMNS = [{ name: "text", type: "VARCHAR" }];

Deno.test("rows come in pieces that end anywhere; those over the limit are counted", () => {
  const rows = new TableRows({ rowsMax: 2 });
  const bytes = new TextEncoder().encode('{"text":"é1"}\n{"text":"2"}\n{"text":"3"}\n');
  for (const byte of bytes) rows.add(Uint8Array.of(byte));
  assert.deepEqual(rows.drawn(COLUMNS).split("\n").map((line) => line.trim()), [
    "text",
    "──────",
    "é1",
    "2",
    "… 1 more rows: use -o csv or -o parquet",
    "(3 rows)",
    "",
  ]);
});

Deno.test("without a limit a table ends after 100,000 rows", () => {
  const rows = new TableRows({});
  rows.add(new TextEncoder().encode('{"text":"x"}\n'.repeat(100_001)));
  assert.match(rows.drawn(COLUMNS), /… 1 more rows: use -o csv or -o parquet\n\(100001 rows\)\n$/);
});
