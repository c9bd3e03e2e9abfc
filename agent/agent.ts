/** The running agent: builds store, tail, query workers and link from the configuration. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { ErasureRecord } from "../protocol/signing/erasure.ts";
import { REJECTS } from "../protocol/schema/streams.ts";
import { VERSION } from "../protocol/version.ts";
import type { AgentConfig } from "./config.ts";
import type { Archive } from "./archive/archive.ts";
import { archiveState, archiveStats } from "./archive/condition.ts";
import { lateness } from "./archive/lateness.ts";
import { openArchive } from "./archive/open_archive.ts";
import { openCatalog } from "./archive/catalog/open_catalog.ts";
import type { CatalogKeeper } from "./archive/catalog/keeper.ts";
import { ArchivedChunks } from "./archive/queries/archived_chunks.ts";
import { drain } from "./drain.ts";
import type { Eraser } from "./erase/eraser.ts";
import { openGeo } from "./geo/open_geo.ts";
import { serveHealth } from "./health/server.ts";
import { Inputs, withSpool } from "./input/inputs.ts";
import { LineRate } from "./line_rate.ts";
import { Tail } from "./ingest/tail.ts";
import { Link } from "./link/link.ts";
import { LiveRows } from "./live/live_rows.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { askable, checkTail } from "./policy/policy.ts";
import { answerQuery } from "./query/answer_query.ts";
import type { FleetParts } from "./query/answer_query.ts";
import { compute } from "./query/compute.ts";
import { KnownResults } from "./query/known_results.ts";
import { serveSnapshots } from "./query/socket.ts";
import { WorkerPool } from "./query/worker_pool.ts";
import { dropping } from "./rules/drop.ts";
import type { HostAnswerer } from "./store/answer.ts";
import { erasureState, openEraser, takeErasure } from "./open_eraser.ts";
import { openStore } from "./open_store.ts";
import { holdBack } from "./regain_lines.ts";
import { openWindows, plansOf } from "./open_windows.ts";
import type { RunningWindows } from "./open_windows.ts";
import { isReadAgain } from "./store/recovery/former_folder.ts";
import { maintain } from "./store/maintenance.ts";
import type { MaintenanceOptions } from "./store/maintenance.ts";
import type { HeldChunks } from "./store/snapshot.ts";
import { Store } from "./store/store.ts";

/** Further behind, unread lines may be of any time: nothing is said of what the host holds. */
const BEHIND_MS = 10_000;

/**
 * Runs until it is asked to end; then drains if it is to, flushes and leaves.
 * @throws {LogvendError} when it cannot start, or not go on
 */
export async function runAgent(config: AgentConfig, asked: AbortSignal): Promise<void> {
  const log = getLogger(["agent"]);
  const { host, region, data_dir: dataDir } = config;
  const end = new AbortController();
  const askedOrEnd = AbortSignal.any([asked, end.signal]);
  /** Of reading and sealing. */
  const signal = config.drain_timeout === undefined ? askedOrEnd : end.signal;
  await using geo = await openGeo(config);
  const metrics = config.http === undefined ? null : await openMetrics(config);
  const live = new LiveRows({
    streams: config.streams,
    place: config,
    shape: (stream) => store.shape(stream),
  });
  const plans = await plansOf(config);
  const windowed = new Set(plans.map(({ stream }) => stream));
  const watching = { observer: metrics, watcher: live, windowed };
  await using store = await openStore(config, signal, watching);
  await using workers = await openWorkers(config);
  await using catalog = await openCatalog(config);
  await using archived = catalog && new ArchivedChunks({ catalog, self: config });
  const known = new KnownResults();
  const eraser = openEraser({ config, store, workers, archived, known });
  const told = async (record: ErasureRecord) => void await takeErasure(eraser, config, record);
  await using archive = await openArchive(config, store, metrics, { catalog, tell: told });
  await using sink = await dropping(store, config.streams, config);
  await using inputs = await Inputs.open({
    dataDir,
    streams: config.streams,
    durableGenerations: (stream) => store.durableGenerations(stream),
    signal: askedOrEnd,
  });
  const streams = config.streams.map((stream) => withSpool(stream, dataDir));
  const held = holdBack(config, { store, catalog }, signal);
  await using tail = Tail.start({ streams, sink, geo, signal, until: held?.until });
  tail.finished.catch(() => {}); // seen below, once everything runs
  const behindBytes = () => tail.behind().bytes;
  const data = { store, held: heldChunks(config, store), archive: archived, denied: store };
  const parts: FleetParts = { ...data, known, workers, region, behindBytes, policy: config.policy };
  await using _socket = await serveSnapshots(dataDir, store);
  await using windows = await openWindows({
    ...{ config, plans, store, metrics },
    compute: (computation, ends) => compute(parts, computation, ends),
    locate: (address) => geo?.locate(address) ?? null,
  });
  const isHeldBack = () => held?.isOver === false;
  const pieces = { config, store, tail, metrics, archive, eraser, isHeldBack };
  await using link = openLink({ ...pieces, live, parts, archived });
  await using _health = openHealth({ ...pieces, inputs, link, windows });
  sayStart(config);
  const keeper = catalog?.keeper ?? null;
  await workUntil(asked, end, { ...pieces, windows, keeper, signal: askedOrEnd });
  log.info("Agent {host} stops", { host });
}

function sayStart({ host, streams, data_dir: folder }: AgentConfig) {
  const names = streams.map(({ name }) => name).join(", ");
  const text = "Agent {host} reads {streams} into {folder}";
  getLogger(["agent"]).info(text, { host, streams: names, folder });
}

/** Reads, keeps and uploads until `asked`, then drains if the configuration says so, and flushes. */
async function workUntil(asked: AbortSignal, end: AbortController, parts: MaintenanceParts) {
  const { config, store, tail, archive, keeper, windows, eraser, signal } = parts;
  const maintained = maintain(maintenanceOf(parts));
  const archived = archive === null ? undefined : runArchive(archive, config, signal);
  const erased = eraser.run(signal);
  const kept = keeper?.run(signal);
  try {
    await Promise.race([aborted(asked), tail.finished]);
    const timeoutMs = config.drain_timeout;
    if (timeoutMs !== undefined) {
      const clocks = { maintained, archived, erased };
      await drain({ tail, store, archive, eraser, ...clocks, end, timeoutMs, windows });
    }
    await Promise.all([maintained, tail.finished]);
    await store.flush(); // before the goodbyes, which may take seconds
  } finally {
    end.abort();
    await Promise.all([maintained, archived, erased, kept]);
  }
}

/** What of the archive's chunks is in the store. */
function heldChunks({ streams }: AgentConfig, store: Store): HeldChunks {
  return {
    lend: (tables, paths) => store.keeper.lend(tables, paths),
    retired: (tables, range) => store.keeper.retired(tables, range),
    isReadAgain: (chunk) =>
      isReadAgain(streams.flatMap(({ name }) => store.generations(name)), chunk),
  };
}

/** Uploads, and looks once for what an earlier data folder had. */
async function runArchive(archive: Archive, config: AgentConfig, signal: AbortSignal) {
  const streams = [...config.streams.map(({ name }) => name), REJECTS];
  const former = archive.lookForFormer({ region: config.region, streams }, signal);
  await Promise.all([archive.run(signal), former]);
}

function openWorkers({ data_dir: dataDir, limits, policy }: AgentConfig): Promise<WorkerPool> {
  return WorkerPool.open({
    folder: join(dataDir, "query"),
    dataDir,
    nice: limits.nice,
    memoryBytes: policy.memory,
    runningMax: policy.running,
    waitingMax: policy.waiting,
  });
}

interface MaintenanceParts {
  config: AgentConfig;
  store: Store;
  tail: Tail;
  windows: RunningWindows | null;
  archive: Archive | null;
  eraser: Eraser;
  keeper: CatalogKeeper | null;
  signal: AbortSignal;
}

/** Retention asks the archive first, unless it may remove what is not there. */
function maintenanceOf(parts: MaintenanceParts): MaintenanceOptions {
  const { config, store, tail, windows, archive, signal } = parts;
  const isAsked = archive !== null && config.archive?.unarchived === "keep";
  return {
    store,
    ...windows?.marks ?? { flushEveryMs: config.flush_every },
    flushed: () => windows?.flushed(),
    retention: {
      ageMs: config.retention?.age,
      bytes: config.retention?.bytes,
      confirm: isAsked ? (ids) => archive.confirm(ids, signal) : undefined,
    },
    scrubEveryMs: config.scrub_every,
    isCaughtUp: () => tail.isCaughtUp(),
    signal,
  };
}

/** Loaded only where it is wanted: some megabytes. */
async function openMetrics({ host, region }: AgentConfig): Promise<Metrics> {
  const { Metrics } = await import("./metrics/metrics.ts");
  return new Metrics({ host, region, version: VERSION });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

interface LinkParts {
  config: AgentConfig;
  store: Store;
  tail: Tail;
  live: LiveRows;
  metrics: Metrics | null;
  parts: FleetParts;
  archive: Archive | null;
  archived: ArchivedChunks | null;
  eraser: Eraser;
}

/** Null without a broker: the agent then answers locally only. */
function openLink(linked: LinkParts): Link | null {
  const { config, store, tail, live, metrics, parts, archive, archived, eraser } = linked;
  if (config.broker === undefined) return null;
  const rate = new LineRate(() => tail.linesTotal());
  const answer: HostAnswerer = (query, signal) => answerQuery(parts, query, signal);
  return new Link({
    url: config.broker,
    topicPrefix: config.topic_prefix,
    host: config.host,
    region: config.region,
    labels: config.labels,
    version: VERSION,
    streams: config.streams.map((stream) => stream.name),
    tables: () => askable(config.policy, store.tables()),
    holdings: store.holdings,
    isRead: () => tail.hasCaughtUp && tail.behind().ms < BEHIND_MS,
    trust: config.trust,
    answer: metrics?.timed(answer) ?? answer,
    archivedHosts: archived === null ? undefined : () => archived.hosts(),
    openLive: async (request, reader) => {
      try {
        checkTail(config.policy, request.stream);
      } catch (error) {
        metrics?.refused(error);
        throw error;
      }
      return await live.open(request, reader);
    },
    erase: (told) => erasureState(eraser, config, told),
    isKnown: (id) => store.knowsRequest(id),
    remember: (id, expiresAtMs, query) => store.rememberRequest(id, expiresAtMs, query),
    endQuery: (id, outcome) => store.endQuery(id, outcome),
    stats: () => {
      const { bytes, ms } = tail.behind();
      const { rejects, storedBytes, open } = store.stats();
      return {
        lines_per_s: rate.perSecond(),
        behind_bytes: bytes,
        behind_ms: Math.round(ms),
        rejects,
        stored_bytes: storedBytes,
        open_rows: open.rows,
        open_bytes: open.bytes,
        archive: archive === null ? null : archiveStats(archive.condition()),
        erasures: store.erasures.count(),
      };
    },
  });
}

interface HealthPieces {
  config: AgentConfig;
  store: Store;
  tail: Tail;
  inputs: Inputs;
  metrics: Metrics | null;
  link: Link | null;
  windows: RunningWindows | null;
  archive: Archive | null;
  isHeldBack: () => boolean;
}

/** Null unless the configuration says where. */
function openHealth(
  { config, store, tail, inputs, metrics, link, windows, archive, isHeldBack }: HealthPieces,
) {
  if (config.http === undefined || metrics === null) return null;
  return serveHealth({
    address: config.http,
    signs: () => ({
      condition: store.condition(),
      readingStoodMs: tail.stoodMs(),
      flushEveryMs: config.flush_every,
      hasCaughtUp: tail.hasCaughtUp,
      heldBack: isHeldBack()
        ? "log files wait until the archive has said which of their lines it has"
        : null,
      lateUpload: archive === null || config.archive === undefined
        ? null
        : lateness(archive.condition(), { everyMs: config.archive.every, nowMs: Date.now() }),
    }),
    metrics: () =>
      metrics.page({
        totals: store.totals(),
        condition: store.condition(),
        isHeldBack: isHeldBack(),
        behind: tail.behind(),
        inputs: inputs.counts,
        link: link && { connected: link.connected, refused: link.counts.refused },
        windows: windows?.state() ?? null,
        archive: archive && archiveState(archive, store),
      }),
  });
}
