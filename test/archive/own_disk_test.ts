/** A question to the archive at the host that still has chunks of it: from its own disk. */
import assert from "node:assert/strict";
import { ArchivedChunks } from "../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../agent/archive/reads/chunk_cache.ts";
import { Policy } from "../../agent/policy/policy_config.ts";
import { answerQuery } from "../../agent/query/answer_query.ts";
import type { FleetParts } from "../../agent/query/answer_query.ts";
import { WorkerPool } from "../../agent/query/worker_pool.ts";
import type { SnapshotSource } from "../../agent/store/snapshot.ts";
import type { HostQuery } from "../../agent/store/answer.ts";
import { chunksOfTexts } from "../../protocol/archive/archive_piece.ts";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import type { GetOptions, ListedObject } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { PLAN_VERSION } from "../../queries/plan/planner.ts";
import { testCatalog } from "../harness/catalog.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { HOUR_MS, START_MS } from "../unit/agent/store/scene.ts";
import { LINES_AN_HOUR, makeHost } from "./scene.ts";

const { signal } = new AbortController();
const OF = "11111111-1111-4111-8111-111111111111";
const HOURS = 8;

/** Counts what is read of it; it may be away. */
class CountingStore extends FolderStore {
  gets = 0;
  isAway = false;

  override async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ListedObject> {
    if (this.isAway) throw new ObjectStoreError("denied", "Cannot list: denied", "S3 403");
    yield* super.list(prefix, signal);
  }

  override get(key: string, options: GetOptions, signal: AbortSignal) {
    this.gets++;
    return super.get(key, options, signal);
  }
}

async function ask(parts: FleetParts, sql: string, more: Partial<HostQuery>) {
  const query: HostQuery = {
    sql,
    now: new Date(START_MS + 100 * HOUR_MS).toISOString(),
    range: { since: null, until: null, implied: false },
    limits: { timeout_ms: 180_000, rows_max: 1_000_000, bytes_max: 1e9 },
    version: PLAN_VERSION,
    tables: parts.store.tables(),
    mayLack: true,
    ...more,
  };
  await using answer = await answerQuery(parts, query, signal);
  const [table] = answer.tables;
  assert(table?.encoding === "text");
  return { values: table.values, coverage: answer.coverage };
}

Deno.test("a piece at the host that holds its chunks takes no request; what has left it is read", async () => {
  await using folder = await TempFolder.make();
  await using host = await makeHost(folder);
  await host.seal(HOURS);
  await using objects = new CountingStore(folder.join("archive"));
  await host.archive(objects).uploadAll(signal);
  const cacheFolder = `${host.dataDir}/archive-cache`;
  const cache = await ChunkCache.open({ folder: cacheFolder, quotaBytes: 1e9 });
  const self = { host: "web-1", region: "eu", labels: {} };
  const workers = { folder: folder.join("query"), dataDir: host.dataDir };
  await using pool = await WorkerPool.open(workers);
  const parts: FleetParts = {
    store: host.store,
    held: {
      lend: (tables, paths) => host.store.keeper.lend(tables, paths),
      isReadAgain: () => false,
      retired: (tables, range) => host.store.keeper.retired(tables, range),
    },
    archive: new ArchivedChunks({ catalog: testCatalog(objects, cache), self }),
    workers: pool,
    region: "eu",
    behindBytes: () => 0,
    policy: Policy.parse({}),
    denied: host.store,
  };
  const sql = "SELECT count(*) AS n, min(line) AS a, max(line) AS b, sum(status) AS s FROM logs";
  const archive = (piece: NonNullable<HostQuery["archive"]>["piece"]) => ({
    archive: { piece, selector: "" },
  });
  const list = await ask(parts, sql, archive({ kind: "list", of: OF }));
  const chunks = chunksOfTexts(list.values)
    .map(({ key, bytes, etag }): [string, number, string] => [key, bytes, etag]);
  assert.equal(chunks.length, HOURS);
  objects.gets = 0;
  const live = await ask(parts, sql, {});
  const read = archive({ kind: "read", of: OF, chunks });
  const own = await ask(parts, sql, read);
  assert.deepEqual(own.values, live.values);
  assert.equal(own.coverage.rows_scanned, HOURS * LINES_AN_HOUR);
  assert.equal(own.coverage.archive, undefined);
  assert.equal(objects.gets, 0);

  let isDropped = false;
  const meanwhile: SnapshotSource = {
    tables: () => host.store.tables(),
    goneUntil: () => host.store.goneUntil(),
    async snapshot(request) { // one chunk goes while the question is on its way
      if (!isDropped) await host.store.keeper.dropOldest(1);
      isDropped = true;
      return await host.store.snapshot(request);
    },
  };
  const gone = await ask({ ...parts, store: meanwhile }, sql, { source: "auto" });
  assert.deepEqual([isDropped, gone.values], [true, live.values]);
  const mixed = await ask(parts, sql, read);
  assert.deepEqual(mixed.values, live.values);
  assert.equal(mixed.coverage.archive?.chunks, 1);
  assert(objects.gets > 0);

  const auto = await ask(parts, sql, { source: "auto" });
  assert.deepEqual([auto.values, auto.coverage.absent], [live.values, undefined]);
  objects.isAway = true;
  const alone = await ask(parts, sql, { source: "auto" });
  const lacking = { host: "web-1", chunks: 0, key: "", reason: "Cannot list: denied" };
  assert.deepEqual(alone.coverage.unread, [lacking]);
  assert.equal(alone.values[0]?.[0], String((HOURS - 1) * LINES_AN_HOUR));
  await assert.rejects(ask(parts, sql, { source: "auto", mayLack: false }), /Cannot list: denied/);
  objects.isAway = false;
  await objects.remove(chunks[0]?.[0] ?? "", signal); // now nobody has it
  const { values: [[count] = []], coverage } = await ask(parts, sql, { source: "auto" });
  assert.equal(count, String((HOURS - 1) * LINES_AN_HOUR));
  const [from, until] = [START_MS, START_MS + HOUR_MS].map((ms) => new Date(ms).toISOString());
  assert.deepEqual(coverage.absent, [{ from, until }]);

  const path = `${host.dataDir}/${chunks.at(-1)?.[0]}`; // damaged here: the archive has it
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.with(100, (bytes[100] ?? 0) ^ 1));
  const rest = archive({ kind: "read", of: OF, chunks: chunks.slice(1) });
  const third = await ask(parts, sql, rest);
  assert.equal(third.values[0]?.[0], count);
  assert.equal(third.coverage.archive?.chunks, 1);

  const [copied = "", source = ""] = chunks.map(([key]) => key); // one chunk under two names
  const body = await readObject(objects, source, {}, signal);
  await objects.put({ key: copied, body, sha256: sha256Hex(body) }, signal);
  const facts = await objects.head(copied, signal);
  const both: typeof chunks = [[copied, facts?.bytes ?? 0, facts?.etag ?? ""], ...chunks.slice(1)];
  const doubled = await ask(parts, sql, archive({ kind: "read", of: OF, chunks: both }));
  assert.equal(doubled.values[0]?.[0], count);
  const [unread] = doubled.coverage.unread ?? [];
  assert.equal(unread?.key, copied);
  assert.match(unread.reason, /^it is the chunk [0-9a-f]{16}, under another's name; see logvend/);

  const stray = source.replace("/web-1.", "/web-7."); // a copy under another host's name
  await objects.put({ key: stray, body, sha256: sha256Hex(body) }, signal);
  const { bytes: strayBytes = 0, etag = "" } = await objects.head(stray, signal) ?? {};
  const withStray: typeof chunks = [[stray, strayBytes, etag], ...chunks.slice(1)];
  const { held: _, ...afar } = parts;
  const once = await ask(afar, sql, archive({ kind: "read", of: OF, chunks: withStray }));
  assert.equal(once.values[0]?.[0], count);
  assert.deepEqual(once.coverage.unread?.map(({ host, key }) => [host, key]), [["web-7", stray]]);
  assert.match(
    once.coverage.unread?.[0]?.reason ?? "",
    /^it is a copy of a chunk of web-1, under another's name; see logvend archive verify/,
  );
});
