/** Lines that the archive has from an earlier data folder, and how far they have been passed over. */
import { ArchivedLines } from "../archived_lines.ts";
import type { Batch, FormerFiles, FormerGeneration } from "../batch.ts";
import type { FormerLines, PassedTo } from "../recovery/former_lines.ts";

export class PassedLines implements FormerFiles {
  /** Of generations that the archive has lines of. */
  private readonly archived = new Map<string, ArchivedLines>();
  /** Since the last flush, by generation. */
  private readonly passed = new Map<string, PassedTo>();

  constructor(private readonly known: FormerLines) {}

  generations(stream: string): FormerGeneration[] {
    return this.known.generations(stream);
  }

  /** The same for whoever asks: it stands where the generation does. */
  lines(generation: string): ArchivedLines | null {
    const here = this.archived.get(generation);
    if (here !== undefined) return here;
    if (!this.known.has(generation)) return null;
    const lines = new ArchivedLines((from) => this.known.runs(generation, from));
    this.archived.set(generation, lines);
    return lines;
  }

  /** What is passed over counts as read before. */
  grow({ generation, startOffset, endOffset: offset, passed }: Batch) {
    if (!this.archived.has(generation)) return;
    const { bytes = 0 } = this.passed.get(generation) ?? {};
    const added = passed === undefined ? 0 : offset - startOffset;
    this.passed.set(generation, {
      ...{ generation, offset, bytes: bytes + added },
      left: passed?.left ?? null,
    });
  }

  entries(): PassedTo[] {
    return [...this.passed.values()];
  }

  /** A flush has made it durable. */
  clear() {
    this.passed.clear();
  }
}
