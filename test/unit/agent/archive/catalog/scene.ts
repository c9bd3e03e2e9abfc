/** An archive of several days, agents that keep its catalog, and questions to it. */
import { createHash } from "node:crypto";
import { catalogOf } from "../../../../../agent/archive/catalog/open_catalog.ts";
import type { RegionCatalog } from "../../../../../agent/archive/catalog/open_catalog.ts";
import { ArchivedChunks } from "../../../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../../../agent/archive/reads/chunk_cache.ts";
import type { ArchiveScope } from "../../../../../agent/store/query_archive.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import type { ObjectStore } from "../../../../../protocol/archive/object_store.ts";
import { ACCESS } from "../../../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../../queries/duckdb/engine.ts";
import type { TempFolder } from "../../../../harness/temp_folder.ts";
import { writeChunk } from "../reads/objects.ts";

export const { signal } = new AbortController();

const FIRST_DAY_MS = Date.parse("2026-11-22T00:00:00Z");
const DAY_MS = 86_400_000;

/** When all days of a scene have been over for long. */
export const LATER_MS = FIRST_DAY_MS + 40 * DAY_MS;

/** One chunk of a scene: the hour 19 of a day, 40 rows. */
export interface SceneChunk {
  /** From 0. */
  day: number;
  host?: string;
  chunk?: number;
  /** SQL of remote_addr, over `range`. @default 40 that no other host, day and chunk has */
  address?: string;
}

export function dateOf(day: number): string {
  return new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10);
}

export function keyOf({ day, host = "web-1", chunk = 0 }: SceneChunk): string {
  const id = (day * 256 + chunk).toString(16).padStart(16, "0");
  const place = { stream: "logs", region: "eu", host, hour: `${dateOf(day)}T19` };
  return chunkPath({ ...place, chunk: id });
}

/** An address that the chunk has, and no other. */
export function addressOf({ day, host = "web-1", chunk = 0 }: SceneChunk, row = 7): string {
  return `10.${day}.${host.slice(4)}${chunk}.${row}`;
}

/** Puts a chunk into an archive. */
export async function putChunk(store: ObjectStore, folder: TempFolder, chunk: SceneChunk) {
  const { day, host = "web-1" } = chunk;
  const path = folder.join(`${crypto.randomUUID()}.parquet`);
  const own = addressOf(chunk).replace(/\.7$/, "");
  const address = chunk.address ?? `format('${own}.{}', range)`;
  await writeChunk(path, { rows: 40, address, fromSecond: day * 86_400, host });
  const sha256 = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  await store.put({ key: keyOf(chunk), body: { path }, sha256 }, signal);
}

export interface SceneAgent {
  catalog: RegionCatalog;
  archive: ArchivedChunks;
}

/** An agent that looks at the archive, `nowMs` as long as nothing else is said. */
export async function agentOf(
  store: ObjectStore,
  folder: TempFolder,
  { host = "web-1", index = ["remote_addr"], clock = () => LATER_MS } = {},
): Promise<SceneAgent> {
  const own = folder.join(`agent-${crypto.randomUUID()}`);
  const cache = await ChunkCache.open({ folder: `${own}/cache`, quotaBytes: 1e9 });
  const catalog = catalogOf({
    ...{ store, cache, host, region: "eu", everyMs: 3_600_000, clock },
    index: new Map([["logs", index]]),
    folder: `${own}/open`,
  });
  return {
    catalog,
    archive: new ArchivedChunks({ catalog, self: { host, region: "eu", labels: {} } }),
  };
}

/** Of all days, for rows with some of these addresses; none: for all. */
export function scopeOf(addresses: string[] = [], more: Partial<ArchiveScope> = {}): ArchiveScope {
  const columns = [{ name: "remote_addr", type: "VARCHAR" }];
  const values: Record<string, string[]> = addresses.length === 0 ? {} : { remote_addr: addresses };
  return {
    selector: "",
    needs: { logs: { columns, values, countsOnly: false } },
    ...{ since: null, until: null, hosts: null, regions: null },
    ...more,
  };
}

/** Keys of the chunks that a question reads. */
export async function foundKeys({ archive }: SceneAgent, scope: ArchiveScope): Promise<string[]> {
  return (await archive.find(scope, signal)).chunks.map(({ key }) => key);
}

/** How many rows there are of each of these addresses, read like a question reads them. */
export async function countRows(
  { archive }: SceneAgent,
  scope: ArchiveScope,
): Promise<{ address: string; rows: number }[]> {
  const { chunks } = await archive.find(scope, signal);
  const references = chunks.map((
    { key, bytes, etag },
  ): [string, number, string] => [key, bytes, etag]);
  const { source } = archive.open(references, scope, signal);
  await using snapshot = await source.snapshot({ ...scope, tables: ["logs"] });
  const groups = snapshot.tables.get("logs")?.archived ?? [];
  const texts = scope.needs.logs?.values.remote_addr ?? [];
  await using engine = await Engine.open();
  const selects = groups.map(({ files, columns }) =>
    tableSelect(ACCESS, {
      files: files.map(({ path }) => path),
      ...{ region: "eu", since: null, until: null, only: columns },
      columns: [{ name: "remote_addr", type: "VARCHAR" }],
    })
  );
  if (selects.length === 0) return [];
  const list = texts.map((text) => `'${text}'`).join(", ");
  const where = texts.length === 0 ? "" : `WHERE remote_addr IN (${list})`;
  const { rows } = await engine.read(
    `SELECT remote_addr, count(*) FROM (${selects.join(" UNION ALL ")}) ${where}
     GROUP BY 1 ORDER BY 1`,
  );
  return rows.map(([address, count]) => ({ address: String(address), rows: Number(count) }));
}
