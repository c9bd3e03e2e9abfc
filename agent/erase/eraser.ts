/**
 * Erases: seals the hours that an erasure concerns, then looks at every chunk of them and writes those
 * anew that hold such rows. What is done is known chunk by chunk, so a kill costs one of them.
 */
import { getLogger } from "@logtape/logtape";
import { concerns, erasureText } from "../../protocol/signing/erasure.ts";
import type { Erasure } from "../../protocol/signing/erasure.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { HostErasure } from "../../protocol/wire/messages.ts";
import { REJECTS } from "../../protocol/schema/streams.ts";
import { counted } from "../../protocol/units.ts";
import type { ErasureProgress } from "../store/database/erasures.ts";
import type { StoredFile } from "../store/database/catalog.ts";
import type { Sealer } from "../store/sealing/chunk_writer.ts";
import type { RowFinder } from "../store/sealing/erase_chunk.ts";
import type { Store } from "../store/store.ts";

export interface EraserOptions {
  store: Store;
  /** What selectors see of this host: labels, host and region. */
  labels: Readonly<Record<string, string>>;
  find: RowFinder;
  /** Forgets what is held of such rows beside the store. */
  forget: (erasure: Erasure) => Promise<void>;
  clock?: () => number;
}

/** How often there is a look for chunks that have come since. */
const LOOK_EVERY_MS = 5_000;
/** What failed is tried again after so long: each try may cost a worker. */
const RETRY_MS = 60_000;
/** Of chunks in one round: beyond it something is wrong with all of them. */
const FAILURES_MAX = 100;

interface Task {
  erasure: Erasure;
  chunk: StoredFile;
  writer: Sealer;
}

export class Eraser {
  private readonly log = getLogger(["agent", "erase"]);
  private readonly clock: () => number;
  private woken = Promise.withResolvers<void>();

  constructor(private readonly options: EraserOptions) {
    this.clock = options.clock ?? Date.now;
  }

  /** Takes an erasure that was checked; durable when it returns. False: it does not concern this host. */
  add(erasure: Erasure): boolean {
    const { store, labels } = this.options;
    const { id, operator, selector } = erasure;
    if (!concerns(erasure, labels)) return false;
    if (!store.erasures.add(erasure)) return true;
    const sql = erasureText(erasure);
    store.beginLogged({ id, askedMs: this.clock(), operator, selector, sql });
    this.log.warn("Erasure {id} of {operator}: {sql}", { id, operator, sql });
    this.woken.resolve();
    return true;
  }

  /** Forgets what is held of such rows beside the store. */
  async forget(erasure: Erasure): Promise<void> {
    await this.options.forget(erasure);
  }

  /** How it goes here; null: it is not known. */
  progress(
    id: string,
  ): Omit<HostErasure, "state"> & { state: "working" | "done" | "failed" } | null {
    const known = this.options.store.erasures.progress(id);
    if (known === null) return null;
    const { doneMs, problem, rows, chunks, archived } = known;
    const state = problem !== null ? "failed" : doneMs === null ? "working" : "done";
    return { id, state, rows, chunks, archived, reason: problem };
  }

  /** Works whenever there is something to do, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      this.woken = Promise.withResolvers<void>();
      const failures = await this.work(signal).catch((error) => {
        if (signal.aborted) return 0;
        this.log.error("Cannot erase, will try again: {error}", { error: messageOf(error) });
        return 1;
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const later = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, failures > 0 ? RETRY_MS : LOOK_EVERY_MS);
      });
      await Promise.race([this.woken.promise, later, ended]);
      clearTimeout(timer);
    }
  }

  /** Does all that can be done now. Returns how many chunks it failed for. */
  async work(signal: AbortSignal): Promise<number> {
    const { store } = this.options;
    const { erasures } = store;
    for (const erasure of erasures.unsealed()) {
      await store.sealFor(erasure);
      erasures.sealed(erasure.id);
    }
    await using writer = store.chunkWriter();
    const failed = new Set<string>();
    for (let next = erasures.next(failed); next !== null; next = erasures.next(failed)) {
      if (signal.aborted || failed.size >= FAILURES_MAX) break;
      const { erasure, chunk } = next;
      try {
        await store.exclusively(() => this.eraseOne({ erasure, chunk, writer }, signal));
      } catch (error) {
        if (signal.aborted) break;
        failed.add(`${erasure.id} ${chunk.id}`);
        erasures.failed(erasure.id, `${chunk.path}: ${messageOf(error)}`);
        this.log.error("Cannot erase from {path}, will try again: {error}", {
          path: chunk.path,
          error: messageOf(error),
        });
      }
    }
    for (const done of erasures.settle()) await this.finish(done);
    return failed.size;
  }

  private async eraseOne({ erasure, chunk: found, writer }: Task, signal: AbortSignal) {
    const { store, find, forget } = this.options;
    const chunk = await store.keeper.verifyNow(found);
    if (chunk === null) return; // damaged: it has been set aside
    await using rows = await find(erasure, chunk, signal);
    if (rows === null) return store.erasures.applied(erasure.id, chunk.id);
    const { shape, path } = rows;
    const after = await store.eraseRows(writer, { erasure: erasure.id, chunk, shape, rows: path });
    if (after === null) return;
    this.log.info("Erased {rows} of {path}: the others are in {after}", {
      rows: counted(chunk.rows - after.rows, "row"),
      path: chunk.path,
      after: after.path,
    });
    await forget(erasure);
  }

  private async finish({ erasure, progress }: { erasure: Erasure; progress: ErasureProgress }) {
    const { store, forget } = this.options;
    const { id, stream, since, until } = erasure;
    const [sinceUs, untilUs] = [since, until].map((iso) => Date.parse(iso) * 1_000);
    await store.keeper.eraseSetAside([stream, REJECTS], sinceUs ?? 0, untilUs ?? 0);
    await forget(erasure);
    const { rows, chunks } = progress;
    store.endQuery(id, {
      state: "complete",
      error: null,
      rowsShipped: 0,
      bytesShipped: 0,
      chunks,
      rowsScanned: null,
      bytesRead: null,
      sqlMs: null,
      totalMs: this.clock() - erasure.issued_at_ms,
    });
    this.log.warn("Erasure {id} is done: {rows} in {chunks}", {
      id,
      rows: counted(rows, "row"),
      chunks: counted(chunks, "chunk"),
    });
  }
}
