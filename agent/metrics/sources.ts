/** Metrics of what the agent holds and does: asked at every scrape, mostly of agent.db. */
import type { Registry } from "prom-client";
import type { StoreCondition } from "../store/observer.ts";
import type { StoreTotals } from "../store/database/totals.ts";
import type { InputCounts } from "../input/counts.ts";
import { addCounter, addGauge } from "./collected.ts";
import { addWindows } from "./windows.ts";
import type { WindowState } from "./windows.ts";

/** The agent as it is now. */
export interface AgentState {
  totals: StoreTotals;
  condition: StoreCondition;
  /** Whether log files are not read yet, as the archive has not said what it has of them. */
  isHeldBack: boolean;
  /** How far reading is behind the files. */
  behind: { bytes: number; ms: number };
  /** What has come over the network and standard input, by stream. */
  inputs: ReadonlyMap<string, InputCounts>;
  /** The link to the fleet; null without a broker. */
  link: { connected: boolean; refused: number } | null;
  /** Null without windows and sinks. */
  windows: WindowState | null;
  /** Null without an archive. */
  archive: {
    waiting: { chunks: number; bytes: number };
    /** How long the oldest of them has waited. */
    oldestMs: number;
    total: { chunks: number; bytes: number };
    isFailing: boolean;
  } | null;
}

/**
 * Adds them all; `state` is that of the scrape. Labels are bounded: streams, reasons and rules are
 * those of the configuration.
 */
export function addSources(registry: Registry, state: () => AgentState) {
  addLines(registry, state);
  addFiles(registry, state);
  addRemoved(registry, state);
  addLink(registry, state);
  addInputs(registry, state);
  addWindows(registry, () => state().windows);
  addArchive(registry, state);
  addGauge(registry, {
    name: "logvend_behind_bytes",
    help: "Bytes in log files that have not been read",
    collect: (report) => report(state().behind.bytes),
  });
  addGauge(registry, {
    name: "logvend_behind_seconds",
    help: "Since when whole lines wait in log files; 0 when all are read",
    collect: (report) => report(state().behind.ms / 1_000),
  });
  addGauge(registry, {
    name: "logvend_reading_held_back",
    help: "1 while log files wait to be read until the archive has said which lines it has",
    collect: (report) => report(state().isHeldBack ? 1 : 0),
  });
  addGauge(registry, {
    name: "logvend_waiting_rows",
    help: "Rows in memory that are not durable yet",
    collect: (report) => report(state().condition.waitingRows),
  });
  addGauge(registry, {
    name: "logvend_writing_broken",
    help: "1 while parts cannot be written: reading pauses when memory is full",
    collect: (report) => report(state().condition.writeError === null ? 0 : 1),
  });
  addGauge(registry, {
    name: "logvend_quota_reached",
    help: "1 while reading pauses because the data folder has reached its quota",
    collect: (report) => report(state().condition.paused === null ? 0 : 1),
  });
}

/** Durable counts: they go on where they were after a restart. */
function addLines(registry: Registry, state: () => AgentState) {
  addCounter(registry, {
    name: "logvend_read_lines_total",
    help: "Lines read, whatever became of them",
    labels: ["stream"],
    collect: (report) =>
      state().totals.read.forEach(({ stream, lines }) => report(lines, { stream })),
  });
  addCounter(registry, {
    name: "logvend_read_bytes_total",
    help: "Bytes of these lines",
    labels: ["stream"],
    collect: (report) =>
      state().totals.read.forEach(({ stream, bytes }) => report(bytes, { stream })),
  });
  const outcome = (wanted: string, name: string, help: string, label?: string) =>
    addCounter(registry, {
      name,
      help,
      labels: ["stream", ...(label === undefined ? [] : [label])],
      collect: (report) => {
        for (const { stream, outcome, reason, lines } of state().totals.outcomes) {
          if (outcome !== wanted) continue;
          report(lines, { stream, ...(label === undefined ? {} : { [label]: reason }) });
        }
      },
    });
  outcome("stored", "logvend_stored_rows_total", "Lines that became rows");
  outcome("rejected", "logvend_rejected_lines_total", "Lines that no format could read", "reason");
  outcome("dropped", "logvend_dropped_lines_total", "Lines that a rule dropped", "rule");
  outcome("erased", "logvend_erased_lines_total", "Rows and rejected lines that were erased since");
  addGauge(registry, {
    name: "logvend_gap_bytes",
    help: "Bytes of log files that were destroyed before they were read",
    labels: ["stream", "reason"],
    collect: (report) =>
      state().totals.gaps.forEach(({ stream, reason, bytes }) => report(bytes, { stream, reason })),
  });
}

function addFiles(registry: Registry, state: () => AgentState) {
  const kinds = () => {
    const { files } = state().totals;
    return ["part", "chunk"].map((kind) =>
      files.find((file) => file.kind === kind) ?? { kind, count: 0, rows: 0, bytes: 0 }
    );
  };
  addGauge(registry, {
    name: "logvend_stored_files",
    help: "Parts, which wait for their hour to be sealed, and chunks",
    labels: ["kind"],
    collect: (report) => kinds().forEach(({ kind, count }) => report(count, { kind })),
  });
  addGauge(registry, {
    name: "logvend_stored_bytes",
    help: "Bytes of parts and chunks",
    labels: ["kind"],
    collect: (report) => kinds().forEach(({ kind, bytes }) => report(bytes, { kind })),
  });
}

function addRemoved(registry: Registry, state: () => AgentState) {
  const sums = [
    ["rows", "Rows that have left the store: by retention, for room, damaged, missing"],
    ["bytes", "Bytes of these rows' files"],
  ] as const;
  for (const [unit, help] of sums) {
    addCounter(registry, {
      name: `logvend_removed_${unit}_total`,
      help,
      labels: ["stream", "reason"],
      collect: (report) => {
        for (const { stream, reason, ...sum } of state().totals.removed) {
          report(sum[unit], { stream, reason });
        }
      },
    });
  }
}

function addLink(registry: Registry, state: () => AgentState) {
  addGauge(registry, {
    name: "logvend_broker_connected",
    help: "1 while the fleet can reach this host; absent without a broker",
    collect: (report) => {
      const { link } = state();
      if (link !== null) report(link.connected ? 1 : 0);
    },
  });
  addCounter(registry, {
    name: "logvend_refused_queries_total",
    help: "Queries that were not run: unsigned, expired, seen before, not for this host",
    collect: (report) => report(state().link?.refused ?? 0),
  });
}

/** All absent without an archive. */
function addArchive(registry: Registry, state: () => AgentState) {
  const gauge = (
    name: string,
    help: string,
    of: (archive: NonNullable<AgentState["archive"]>) => number,
    add = addGauge,
  ) =>
    add(registry, {
      name,
      help,
      collect: (report) => {
        const { archive } = state();
        if (archive !== null) report(of(archive));
      },
    });
  gauge("logvend_archive_waiting_chunks", "Chunks not archived yet", (a) => a.waiting.chunks);
  gauge("logvend_archive_waiting_bytes", "Bytes of these", (a) => a.waiting.bytes);
  gauge(
    "logvend_archive_waiting_seconds",
    "How long the oldest of them has waited",
    (a) => a.oldestMs / 1_000,
  );
  gauge(
    "logvend_archive_failing",
    "1 while the last upload failed: it is tried again",
    (a) => a.isFailing ? 1 : 0,
  );
  const total = "logvend_archived";
  gauge(`${total}_chunks_total`, "Chunks archived", (a) => a.total.chunks, addCounter);
  gauge(`${total}_bytes_total`, "Bytes of these objects", (a) => a.total.bytes, addCounter);
}

/** Since the start. */
function addInputs(registry: Registry, state: () => AgentState) {
  const add = (name: string, help: string, of: (counts: InputCounts) => number) =>
    addCounter(registry, {
      name,
      help,
      labels: ["stream"],
      collect: (report) =>
        state().inputs.forEach((counts, stream) => report(of(counts), { stream })),
    });
  add("logvend_input_messages_total", "Messages taken", (counts) => counts.messages);
  add("logvend_input_bytes_total", "Bytes of the messages taken", (counts) => counts.bytes);
  add(
    "logvend_input_lost_messages_total",
    "Datagrams that found the spool full, or could not be written",
    (counts) => counts.lost,
  );
}
