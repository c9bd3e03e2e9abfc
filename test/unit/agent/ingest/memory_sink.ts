/** A sink that keeps batches, checks the contract on each, and can forget what was not flushed. */
import type { StreamShape } from "../../../../protocol/schema/stream_shape.ts";
import { ACCESS_SHAPE } from "../../../../protocol/schema/stream_shape.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import assert from "node:assert/strict";
import type {
  Batch,
  BatchSink,
  Gap,
  Generation,
  PackedNote,
  PackedNotes,
} from "../../../../agent/store/batch.ts";
import { plainBatch } from "./plain_batch.ts";
import type { PlainBatch } from "./plain_batch.ts";

/** A row or reject as it was appended. */
export interface Kept {
  generation: string;
  path: string;
  offset: number;
  /** Of the line; null for lines that their columns rebuild. */
  text: string | null;
  /** Null for rows. */
  reason: string | null;
  length: number;
}

export class MemorySink implements BatchSink {
  /** By file: durable at once, before the rows. */
  readonly packedNotes = new Map<string, PackedNote>();
  readonly packed: PackedNotes = {
    of: () => [...this.packedNotes.values()],
    change: (_, { noted, gone }) => {
      for (const file of gone) this.packedNotes.delete(file);
      for (const note of noted) this.packedNotes.set(note.file, note);
    },
  };
  private durable = new Map<string, Generation>();
  private durableBatches: PlainBatch[] = [];
  private current = new Map<string, Generation>();
  batches: PlainBatch[] = [];
  gaps: Gap[] = [];
  /** Awaited before a batch is taken. */
  gate: () => Promise<void> = () => Promise.resolve();

  generations(stream: string): Generation[] {
    return [...this.current.values()].filter((g) => g.stream === stream).map((g) => ({ ...g }));
  }

  shape(): StreamShape {
    return ACCESS_SHAPE;
  }

  putGeneration(generation: Generation) {
    const known = this.current.get(generation.id);
    if (known !== undefined) assert.equal(generation.offset, known.offset);
    this.current.set(generation.id, { ...generation });
  }

  addGap(gap: Gap) {
    this.gaps.push(gap);
  }

  async append(batch: Batch): Promise<void> {
    await this.gate();
    const generation = this.current.get(batch.generation);
    assert(generation, "the generation was put before its lines");
    assert.equal(batch.startOffset, generation.offset, "batches join without gap or overlap");
    assert.equal(batch.rows.count + batch.rejects.length, batch.lines);
    generation.offset = batch.endOffset; // at one go with the lines: a flush may come at any time
    generation.lines += batch.lines;
    generation.tailSha256 = sha256Hex(batch.tail);
    this.batches.push(plainBatch(batch));
  }

  /** Makes everything durable. */
  flush(): Promise<void> {
    this.durable = new Map([...this.current].map(([id, g]) => [id, { ...g }]));
    this.durableBatches = [...this.batches];
    return Promise.resolve();
  }

  /** What a process that was killed finds: the state of the last flush. */
  crash() {
    this.current = new Map([...this.durable].map(([id, g]) => [id, { ...g }]));
    this.batches = [...this.durableBatches];
  }

  get lines(): number {
    return this.batches.reduce((sum, batch) => sum + batch.lines, 0);
  }

  get rejects(): number {
    return this.batches.reduce((sum, batch) => sum + batch.rejects.length, 0);
  }

  /** Rows and rejects in the order of their offsets, generation after generation. */
  kept(): Kept[] {
    const kept = this.batches.flatMap(({ generation, rows, rejects }) => {
      const path = this.current.get(generation)?.path ?? "";
      const place = { generation, path };
      return [
        ...rows.line_offset.map((offset, i) => ({
          ...place,
          offset: Number(offset),
          text: rows.line_text[i] ?? null,
          reason: null,
          length: rows.line_length[i] ?? 0,
        })),
        ...rejects.map((reject) => ({
          ...place,
          offset: reject.line_offset,
          text: new TextDecoder().decode(reject.line),
          reason: reject.reason,
          length: reject.length,
        })),
      ];
    });
    const ids = new Set(kept.map(({ generation, offset }) => `${generation}:${offset}`));
    assert.equal(ids.size, kept.length, "no line was taken twice");
    return kept.toSorted((a, b) => a.generation.localeCompare(b.generation) || a.offset - b.offset);
  }

  /** The requests of all rows, sorted: tests number them to see that each came once. */
  requests(): string[] {
    return this.batches.flatMap(({ rows }) => rows.request.map((text) => text ?? "")).sort();
  }
}
