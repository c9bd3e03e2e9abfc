/** Remembers how far generations had been read some seconds ago: for telling cut-off copies. */
import type { Generation } from "../store/batch.ts";
import type { Mark } from "./identify.ts";

/** One a second: a copy that takes longer is compared with its original meanwhile. */
const MARKS_MAX = 8;
const GENERATIONS_MAX = 1_000;

/** The last marks of each generation. */
export class Marks {
  private readonly byGeneration = new Map<string, Mark[]>();

  /** Notes where a generation stands. */
  add({ id, offset, tailSha256 }: Generation) {
    const marks = this.byGeneration.get(id) ?? [];
    if (tailSha256 === null || marks.at(-1)?.offset === offset) return;
    marks.push({ offset, tailSha256 });
    if (marks.length > MARKS_MAX) marks.shift();
    this.byGeneration.delete(id); // the longest untouched comes first
    this.byGeneration.set(id, marks);
    for (const oldest of this.byGeneration.keys()) {
      if (this.byGeneration.size <= GENERATIONS_MAX) break;
      this.byGeneration.delete(oldest);
    }
  }

  /** Oldest first. */
  of({ id }: Generation): readonly Mark[] {
    return this.byGeneration.get(id) ?? [];
  }
}
