/** Objects in an archive's prefix that are no chunks, or damaged ones: only they are lacking. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { ArchivedChunks } from "../../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../../agent/archive/reads/chunk_cache.ts";
import { Policy } from "../../../../agent/policy/policy_config.ts";
import { answerQuery } from "../../../../agent/query/answer_query.ts";
import type { FleetParts } from "../../../../agent/query/answer_query.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import { FILE, footerBytes } from "../../../../queries/parquet/footer.ts";
import {
  i64,
  numberIn,
  readStruct,
  structIn,
  structsIn,
} from "../../../../queries/parquet/thrift.ts";
import type { ThriftStruct } from "../../../../queries/parquet/thrift.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import { chunkPath } from "../../../../protocol/chunk/chunk_path.ts";
import { SCHEMA_VERSION } from "../../../../protocol/schema/streams.ts";
import { literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { PLAN_VERSION } from "../../../../queries/plan/planner.ts";
import { accessTables } from "../../../harness/tables.ts";
import { testCatalog } from "../../../harness/catalog.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { GROUP_ROWS, writeChunk } from "../archive/reads/objects.ts";

const NOW = "2026-11-22T23:00:00.000Z";
const HOSTS = ["web-1", "web-2", "web-3"];
const BAD = keyOf("web-2");

function keyOf(host: string): string {
  const place = { stream: "logs", region: "eu", hour: "2026-11-22T19" };
  return chunkPath({ ...place, host, chunk: "0123456789abcdef" });
}

/** Three hosts, a chunk each, of which that of web-2 is what is made of it. */
async function scene() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const pathOf = (key: string) => folder.join("archive", key);
  for (const host of HOSTS) {
    await Deno.mkdir(dirname(pathOf(keyOf(host))), { recursive: true });
    await writeChunk(pathOf(keyOf(host)), { rows: 3 * GROUP_ROWS, host });
  }
  const whole = await Deno.readFile(pathOf(BAD));
  const store = stack.use(new FolderStore(folder.join("archive")));
  const cache = await ChunkCache.open({ folder: folder.join("data", "cache"), quotaBytes: 1e9 });
  const archive = stack.use(
    new ArchivedChunks({
      catalog: testCatalog(store, cache),
      self: { host: "web-1", region: "eu", labels: {} },
    }),
  );
  const folders = { folder: folder.join("query"), dataDir: folder.join("data") };
  const harmful: string[] = [];
  const parts: FleetParts = {
    store: { tables: () => [], snapshot: () => assert.fail("the store is not asked") },
    archive,
    workers: stack.use(await WorkerPool.open(folders)),
    region: "eu",
    behindBytes: () => 0,
    policy: Policy.parse({}),
    denied: { denialOf: () => null, deny: (sql) => harmful.push(sql) },
  };
  const ask = async (sql: string, mayLack = true) => {
    const chunks = await Promise.all(HOSTS.map(async (host): Promise<[string, number, string]> => {
      const found = await store.head(keyOf(host), new AbortController().signal);
      return [keyOf(host), found?.bytes ?? 0, found?.etag ?? ""];
    }));
    const piece = { kind: "read" as const, of: crypto.randomUUID(), chunks };
    const query = {
      ...{ sql, now: NOW, range: { since: null, until: null, implied: false } },
      limits: { timeout_ms: 30_000, rows_max: 1_000_000, bytes_max: 1e9 },
      tables: accessTables("logs"),
      version: PLAN_VERSION,
      archive: { piece, selector: "" },
      mayLack,
    };
    await using answer = await answerQuery(parts, query, new AbortController().signal);
    const [table] = answer.tables;
    assert(table?.encoding === "text");
    return { values: table.values, coverage: answer.coverage };
  };
  const write = (bytes: Uint8Array) => Deno.writeFile(pathOf(BAD), bytes);
  const owned = stack.move();
  return { ask, write, whole, harmful, folder, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The same data under another footer. */
function lying(whole: Uint8Array, change: (file: ThriftStruct) => void): Uint8Array {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const start = whole.length - 8 - view.getUint32(whole.length - 8, true);
  const file = readStruct(whole.subarray(start, whole.length - 8));
  change(file);
  return Uint8Array.from([...whole.subarray(0, start), ...footerBytes(file)]);
}

/** Of all row groups, ColumnMetaData of a column by number (parquet.thrift). */
function columns(file: ThriftStruct, index: number): ThriftStruct[] {
  return structsIn(file, FILE.rowGroups).flatMap((group) => {
    const column = structsIn(group, 1)[index];
    return column === undefined ? [] : structIn(column, 3) ?? [];
  });
}

async function foreign(folder: TempFolder): Promise<Uint8Array> {
  const path = folder.join("foreign.parquet");
  await using engine = await Engine.open();
  await engine.run(`COPY (SELECT 1 AS a, now() AS ts) TO ${literal(path)} (FORMAT parquet)`);
  return await Deno.readFile(path);
}

const KINDS: Record<string, (whole: Uint8Array, folder: TempFolder) => unknown> = {
  "no Parquet file: it is too short": () => new Uint8Array(5),
  'no Parquet file: it ends with other bytes than "PAR1"': (whole) => whole.slice(0, 5_000),
  "no Parquet file: its footer has no good length": (whole) => whole.with(whole.length - 5, 0x70),
  "no Parquet file: its footer cannot be read": (whole) =>
    whole.map((byte, i) => i > whole.length - 900 && i < whole.length - 8 ? i * 37 : byte),
  "a Parquet file that logvend did not write": async (_, folder) => await foreign(folder),
  "its footer cannot be true: its row groups have other rows": (whole) =>
    lying(whole, (file) => file.set(FILE.rows, i64(7n))),
  "column .* lies outside of it": (whole) =>
    lying(whole, (file) => columns(file, 0).forEach((one) => one.set(9, i64(1n << 40n)))),
  "column .* has other rows than its group": (whole) =>
    lying(whole, (file) => columns(file, 0).forEach((one) => one.set(5, i64(1n)))),
  "its pages cannot be read; see logvend archive verify --content": (whole) =>
    whole.map((byte, i) => i > 100 && i < 90_000 ? byte ^ 0x55 : byte),
  "its pages cannot be read": (whole) =>
    lying(whole, (file) => {
      for (const one of columns(file, 7)) one.set(9, i64((numberIn(one, 9) ?? 0n) - 3n));
    }),
};

Deno.test("a malformed object is named, with what to do, and the other chunks are answered", async () => {
  await using here = await scene();
  const sql = "SELECT count(*) AS n, max(request) AS m, sum(status) AS s, max(line) AS l FROM logs";
  const without = "SELECT count(*) AS n, max(request) AS m, sum(status) AS s, max(line) AS l " +
    "FROM logs WHERE host <> 'web-2'";
  const { values: whole, coverage } = await here.ask(sql);
  assert.equal(whole[0]?.[0], String(9 * GROUP_ROWS));
  assert.equal(coverage.unread, undefined);
  const { values: expected } = await here.ask(without);
  for (const [said, make] of Object.entries(KINDS)) {
    await here.write(await make(here.whole, here.folder) as Uint8Array);
    const { values, coverage } = await here.ask(sql);
    assert.deepEqual(values, expected, said);
    const [unread, ...others] = coverage.unread ?? [];
    assert.deepEqual(others, [], said);
    assert.deepEqual([unread?.host, unread?.chunks, unread?.key], ["web-2", 1, BAD], said);
    assert.match(unread?.reason ?? "", new RegExp(said));
    assert.match(unread?.reason ?? "", /see logvend archive verify.*remove or replace it$/);
    assert.equal(coverage.rows_scanned, 6 * GROUP_ROWS, said);
    await assert.rejects(here.ask(sql, false), new RegExp(`web-2.*: .*${said}`));
  }
  assert.deepEqual(here.harmful, [], "the SQL is not to blame");
});

Deno.test("a chunk of a newer logvend is left out, with the advice to upgrade, and not to remove it", async () => {
  await using here = await scene();
  const path = here.folder.join("newer.parquet");
  const said = JSON.stringify({ schema_version: SCHEMA_VERSION + 1, rows: "two" });
  await writeChunk(path, { rows: GROUP_ROWS, host: "web-2", said });
  await here.write(await Deno.readFile(path));
  const { values, coverage } = await here.ask("SELECT count(*) AS n FROM logs");
  assert.deepEqual(values, [[String(6 * GROUP_ROWS)]]);
  assert.match(
    coverage.unread?.[0]?.reason ?? "",
    new RegExp(
      `^a newer logvend wrote it \\(schema ${SCHEMA_VERSION + 1}; this one reads schemas up to ` +
        `${SCHEMA_VERSION}\\); upgrade whoever reads it$`,
    ),
  );
});

Deno.test("an error of the SQL is no damage: it is said as it is", async () => {
  await using here = await scene();
  await assert.rejects(here.ask("SELECT sum(request::INTEGER) AS n FROM logs"), {
    code: "bad_sql",
  });
});
