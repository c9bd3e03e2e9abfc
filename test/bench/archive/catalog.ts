/** Planning in a catalog of a million chunks: manifests of a year, without the chunks themselves. */
import { hashOf } from "../../../protocol/archive/catalog/fingerprints.ts";
import { writeManifest } from "../../../agent/archive/catalog/write_manifest.ts";
import type { DescribedChunk } from "../../../agent/archive/catalog/write_manifest.ts";
import type { RegionCatalog } from "../../../agent/archive/catalog/open_catalog.ts";
import { ArchivedChunks } from "../../../agent/archive/queries/archived_chunks.ts";
import { ChunkCache } from "../../../agent/archive/reads/chunk_cache.ts";
import type { ArchiveScope } from "../../../agent/store/query_archive.ts";
import { chunksIn } from "../../../protocol/archive/archived_hours.ts";
import { manifestKey } from "../../../protocol/archive/catalog/catalog_keys.ts";
import { FolderStore } from "../../../protocol/archive/folder_store.ts";
import type { GetOptions } from "../../../protocol/archive/object_store.ts";
import { testCatalog } from "../../harness/catalog.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { quantile } from "../figures.ts";

const DAYS = Number(Deno.env.get("LOGVEND_BENCH_DAYS") ?? 365);
const HOSTS = 115;
/** Distinct addresses of a chunk. */
const ADDRESSES = 100;
/** In how many chunks each address that is asked for is. */
const MATCHES = 3;
const NEEDLES = 9;
const LATENCY_MS = 20;

const FIRST_DAY_MS = Date.parse("2025-11-01T00:00:00Z");
const DAY_MS = 86_400_000;

const { signal } = new AbortController();

/** A store that answers as late as one that is not near. */
class FarStore extends FolderStore {
  requests = 0;
  latencyMs = 0;

  override async get(key: string, options: GetOptions, signal: AbortSignal) {
    await this.wait();
    return await super.get(key, options, signal);
  }

  override async *list(prefix: string, signal: AbortSignal) {
    await this.wait();
    yield* super.list(prefix, signal);
  }

  override async folders(prefix: string, signal: AbortSignal) {
    await this.wait();
    return await super.folders(prefix, signal);
  }

  private async wait() {
    this.requests++;
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
  }
}

/** Prints its figures. */
export async function benchCatalog(): Promise<void> {
  await using folder = await TempFolder.make();
  await using store = new FarStore(folder.join("archive"));
  const bytes = await writeYear(folder);
  await Deno.mkdir(folder.join("archive", "stream=logs"), { recursive: true });
  console.log(
    `a catalog of ${
      DAYS * 24 * HOSTS
    } chunks with ${ADDRESSES} addresses each, of ${HOSTS} hosts ` +
      `and ${DAYS} days: ${DAYS} manifests, ${(bytes / 1e6).toFixed(0)} MB`,
  );
  for (const latencyMs of [0, LATENCY_MS]) {
    store.latencyMs = latencyMs;
    const cacheFolder = folder.join(`cache-${latencyMs}`);
    const cache = await ChunkCache.open({ folder: cacheFolder, quotaBytes: 4e9 });
    const self = { host: "web-1", region: "eu", labels: {} };
    const archive = new ArchivedChunks({ catalog: testCatalog(store, cache), self });
    const plans: { ms: number; requests: number }[] = [];
    for (let needle = 0; needle < NEEDLES; needle++) plans.push(await plan(archive, store, needle));
    const [first, ...others] = plans;
    const again = await plan(archive, store, 0);
    const median = quantile(others.map(({ ms }) => ms), 0.5);
    const where = latencyMs === 0 ? "in a folder" : `${latencyMs} ms away`;
    console.log(
      `  ${where}: the first address ${first?.ms.toFixed(0)} ms in ${first?.requests} requests, ` +
        `another one ${median.toFixed(0)} ms in ${others[0]?.requests}, ` +
        `one again ${again.ms.toFixed(0)} ms in ${again.requests} (asked: 1,000 ms)`,
    );
    const isNew = testCatalog(
      store,
      await ChunkCache.open({ folder: `${cacheFolder}-hosts`, quotaBytes: 4e9 }),
    );
    const [cold, warm] = [await hostsOf(isNew, store), await hostsOf(isNew, store)];
    console.log(
      `  ${where}: whom it has, for the first time ${cold.ms.toFixed(0)} ms in ` +
        `${cold.requests} requests, again ${warm.ms.toFixed(0)} ms in ${warm.requests}`,
    );
  }
}

/** @throws when it is not all of them */
async function hostsOf(catalog: RegionCatalog, store: FarStore) {
  const before = store.requests;
  const self = { host: "web-1", region: "eu", labels: {} };
  const archive = new ArchivedChunks({ catalog, self });
  const startedMs = performance.now();
  const { length } = await archive.hosts();
  const ms = performance.now() - startedMs;
  if (length !== HOSTS) throw new Error(`${length} hosts were found, not ${HOSTS}`);
  return { ms, requests: store.requests - before };
}

/** @throws when other chunks are to be opened than those that have it */
async function plan(archive: ArchivedChunks, store: FarStore, needle: number) {
  const before = store.requests;
  const columns = [{ name: "remote_addr", type: "VARCHAR" }];
  const values = { remote_addr: [addressOf(needle)] };
  const scope: ArchiveScope = {
    selector: "",
    needs: { logs: { columns, values, countsOnly: false } },
    ...{ since: null, until: null, hosts: null, regions: null },
  };
  const startedMs = performance.now();
  const { chunks, hours } = await archive.find(scope, signal);
  const ms = performance.now() - startedMs;
  const looked = chunksIn(hours);
  if (chunks.length !== MATCHES || looked !== DAYS * 24 * HOSTS) {
    throw new Error(`${chunks.length} of ${looked} chunks would be opened, not ${MATCHES}`);
  }
  return { ms, requests: store.requests - before };
}

function addressOf(needle: number): string {
  return `203.0.113.${needle}`;
}

/** Returns the bytes of all manifests. Hashes are drawn, as if each were that of an address. */
async function writeYear(folder: TempFolder): Promise<number> {
  let bytes = 0;
  for (let day = 0; day < DAYS; day++) {
    const date = new Date(FIRST_DAY_MS + day * DAY_MS).toISOString().slice(0, 10);
    const place = { stream: "logs", region: "eu", date };
    const path = folder.join("archive", manifestKey(place));
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await writeManifest(path, {
      day: place,
      facts: { listed_ms: Date.now(), indexed: ["remote_addr"], changes: {} },
      kept: null,
      added: Array.from({ length: 24 * HOSTS }, (_, i) => chunkOf(day, i)),
    });
    bytes += (await Deno.stat(path)).size;
  }
  return bytes;
}

function chunkOf(day: number, i: number): DescribedChunk {
  const startUs = (FIRST_DAY_MS + day * DAY_MS + (i % 24) * 3_600_000) * 1_000;
  const chunk = day * 24 * HOSTS + i;
  const hashes = new Set(
    Array.from({ length: ADDRESSES }, () => Math.floor(Math.random() * 2 ** 40)),
  );
  // Each needle is in chunks of its own, all over the year.
  const step = Math.floor(DAYS * 24 * HOSTS / (NEEDLES * MATCHES));
  const needle = chunk % step === 0 ? chunk / step % NEEDLES : null;
  if (needle !== null && chunk / step < NEEDLES * MATCHES) hashes.add(hashOf(addressOf(needle)));
  return {
    entry: {
      hour: i % 24,
      host: `web-${Math.floor(i / 24)}`,
      chunk: chunk.toString(16).padStart(16, "0"),
      bytes: 12_345_678 + i,
      etag: `"${(chunk * 7_919).toString(16).padStart(32, "0")}"`,
      rows: 100_000 + i,
      firstUs: startUs,
      lastUs: startUs + 3_599e6,
      sha256: null,
      texts: { remote_addr: { min: "10.0.0.1", max: "99.9.9.9" } },
    },
    hashes: new Map([["remote_addr", Float64Array.from(hashes).sort()]]),
  };
}
