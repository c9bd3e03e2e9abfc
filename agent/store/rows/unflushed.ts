/** What has been noted since the last flush beside the rows: it becomes durable with them. */
import { Tally } from "../../account/tally.ts";
import { sha256Hex } from "../../../protocol/sha256.ts";
import type { Batch, Gap, Generation } from "../batch.ts";
import type { Origin, StoredFile } from "../database/catalog.ts";
import { flush } from "./flush.ts";
import { PassedLines } from "./passed_lines.ts";
import type { StoreParts } from "../open_store.ts";
import { syncSources } from "../database/sync_sources.ts";

export class Unflushed {
  /** Every generation, as far as it was appended to. */
  readonly generations: Map<string, Generation>;
  readonly tally = new Tally();
  gaps: Gap[] = [];
  private readonly changed = new Set<string>();
  /** Of generations that no flush has seen. */
  private readonly origins = new Map<string, Origin>();
  private readonly tails = new Map<string, Uint8Array>();

  /** Of files of an earlier data folder. */
  readonly passed: PassedLines;

  constructor(
    private readonly parts: Pick<StoreParts, "archiveBook" | "catalog" | "memory" | "options">,
  ) {
    this.passed = new PassedLines(parts.archiveBook.formerLines);
    this.generations = new Map(parts.catalog.generations().map((g) => [g.id, g]));
  }

  put(generation: Generation) {
    if (!this.generations.has(generation.id)) {
      const { id, offset, path } = generation;
      const inputPath = this.parts.archiveBook.formerLines.inputPath(id) ?? path;
      this.origins.set(id, { startOffset: offset, beganOffset: offset, inputPath });
    }
    this.generations.set(generation.id, { ...generation });
    this.changed.add(generation.id);
  }

  /** The generation that a batch goes on with. @throws when it does not */
  generationOf({ generation: id, startOffset }: Batch): Generation {
    const generation = this.generations.get(id);
    if (generation === undefined) throw new Error(`Unknown generation ${id}`);
    if (generation.offset !== startOffset) {
      throw new Error(`Batch at ${startOffset}, expected ${generation.offset}`);
    }
    return generation;
  }

  /** A batch of it has come into memory. */
  grow(generation: Generation, batch: Batch) {
    this.passed.grow(batch);
    this.tally.add(generation.stream, batch);
    generation.offset = batch.endOffset;
    generation.lines += batch.lines;
    this.tails.set(generation.id, batch.tail);
    this.changed.add(generation.id);
  }

  /** Syncs the files whose lines are not durable yet. */
  async syncSources(): Promise<void> {
    await syncSources([...this.tails.keys()].flatMap((id) => this.generations.get(id) ?? []));
  }

  /** Makes all of it durable, with the rows. When it throws nothing is, and it may be called again. */
  async flush(nowMs: () => number): Promise<StoredFile[]> {
    const { memory, catalog, options: { dataDir } } = this.parts;
    const ids = [...this.changed];
    const { gaps, tally, origins } = this;
    const passed = this.passed.entries();
    this.changed.clear(); // what changes from here on waits for the next flush
    this.gaps = [];
    let written: StoredFile[];
    try {
      await this.syncSources();
      const generations = ids.flatMap((id) => this.durable(id));
      const shapes = memory.unsavedShapes();
      const changed = { generations, origins, counts: tally.entries(), gaps, shapes, passed };
      written = await flush({ memory, catalog, dataDir, changed, nowMs: nowMs() });
    } catch (error) {
      for (const id of ids) this.changed.add(id);
      this.gaps = [...gaps, ...this.gaps];
      throw error;
    }
    for (const id of ids) origins.delete(id);
    this.tails.clear();
    this.passed.clear();
    tally.clear();
    return written;
  }

  /** A generation as it is about to be durable. */
  private durable(id: string): Generation[] {
    const generation = this.generations.get(id);
    if (generation === undefined) return [];
    const tail = this.tails.get(id);
    if (tail !== undefined) generation.tailSha256 = sha256Hex(tail);
    return [generation];
  }
}
