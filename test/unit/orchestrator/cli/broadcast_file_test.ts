/** cli/broadcast_file.ts: files that become tables for the hosts, and those that do not. */
import assert from "node:assert/strict";
import { readBroadcast } from "../../../../orchestrator/cli/broadcast_file.ts";
import { packBroadcast, unpackBroadcast } from "../../../../protocol/wire/broadcast.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

Deno.test("files become tables with the types that all their rows have, and travel whole", async () => {
  await using folder = await TempFolder.make();
  const csv = await folder.write("u.csv", "login,id,since\nann,1,2026-01-02\nbob,,\n");
  const tsv = await folder.write("t.tsv", "a\tb\nx\t1.5\n");
  const json = await folder.write("n.jsonl", '{"region":"é"}\n');
  const tables = await readBroadcast([`u=${csv}`, `t=${tsv}`, `n=${json}`]);
  assert.deepEqual(tables, [
    {
      name: "u",
      columns: [
        { name: "login", type: "VARCHAR" },
        { name: "id", type: "BIGINT" },
        { name: "since", type: "DATE" },
      ],
      values: [["ann", "bob"], ["1", null], ["2026-01-02", null]],
    },
    {
      name: "t",
      columns: [{ name: "a", type: "VARCHAR" }, { name: "b", type: "DOUBLE" }],
      values: [["x"], ["1.5"]],
    },
    { name: "n", columns: [{ name: "region", type: "VARCHAR" }], values: [["é"]] },
  ]);
  assert.deepEqual(await unpackBroadcast(await packBroadcast(tables)), tables);
});

Deno.test("what cannot be a table is refused with the reason", async () => {
  await using folder = await TempFolder.make();
  const refusal = async (given: readonly string[], message: RegExp) =>
    await assert.rejects(readBroadcast(given), { code: "usage", message });
  const small = await folder.write("small.csv", "a\n1\n");
  await refusal([`t=${folder.join("none.csv")}`], /none\.csv: no such file/);
  await refusal([small], /wanted NAME=FILE, e\.g\. users=users\.csv/);
  await refusal([`T-1=${small}`], /wanted NAME=FILE/);
  await refusal([`t=${await folder.write("t.txt", "a\n")}`], /a file that ends in \.csv, \.tsv/);
  await refusal([`t=${small}`, `t=${small}`], /there is a table t already/);
  const nested = await folder.write("n.json", '[{"a":{"b":1}}]');
  await refusal([`t=${nested}`], /column a is a STRUCT.*only plain values/);
  await refusal([`t=${await folder.write("no.csv", "")}`], /no\.csv: the file is empty/);
  const ragged = await folder.write("ragged.csv", "a,b\n1,2\n3,4,5\n");
  await refusal([`t=${ragged}`], /not every line has as many fields as the first one/);
  const mixed = await folder.write("mixed.csv", "a,b\r\n1,2\n3,4\r\n");
  await refusal([`t=${mixed}`], /not every line .* ends like it/);
  await refusal([`t=${await folder.write("bad.json", "{")}`], /--with t=.*bad\.json/);
});

Deno.test("tables that no host would take are refused: too large, packed or not, or no tables", async () => {
  const table = (values: string[]) => ({
    name: "t",
    columns: [{ name: "id", type: "VARCHAR" }],
    values: [values],
  });
  const random = Array.from({ length: 5_000 }, () => crypto.randomUUID());
  const large = { code: "usage", message: /packed .*at most: leave out rows and columns/ };
  await assert.rejects(packBroadcast([table(random)]), large);
  await assert.rejects(packBroadcast([table(Array(200_000).fill("same"))]), large);
  const bomb = new Blob([new Uint8Array(10_000_000)]).stream();
  const packed = await new Response(bomb.pipeThrough(new CompressionStream("gzip"))).bytes();
  await assert.rejects(unpackBroadcast(packed.toBase64()), /are too large/);
  await assert.rejects(unpackBroadcast("H4sI"), { code: "usage" });
  const harmful = {
    ...table(["a"]),
    columns: [{ name: "id", type: "INT); COPY t TO '/tmp/x'; --" }],
  };
  await assert.rejects(unpackBroadcast(await packBroadcast([harmful])), /wanted a plain type/);
  const uneven = { ...table(["a"]), values: [["a"], ["b", "c"]] };
  await assert.rejects(unpackBroadcast(await packBroadcast([uneven])), /as many values/);
});
