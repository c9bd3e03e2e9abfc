/**
 * Log files of an earlier data folder, of which the archive has lines. Whoever finds one reads it from
 * where it was read first, for the archive may lack any of its lines. Until then it is told by what
 * that folder knew last: all of it has to be there.
 */
import type { FormerGeneration, Generation } from "../store/batch.ts";
import { HEAD_BYTES } from "./identity.ts";

export class FormerGenerations {
  private readonly byId: Map<string, FormerGeneration>;
  /** When the first of them was seen: files that did not change since were there before. */
  readonly sinceMs: number;

  constructor(generations: readonly FormerGeneration[]) {
    this.byId = new Map(generations.map((generation) => [generation.id, generation]));
    const times = generations.map(({ firstSeenMs }) => firstSeenMs);
    this.sinceMs = times.length === 0 ? -Infinity : Math.min(...times);
  }

  /** All of these, and those of the others that are none of them: what a file can be. */
  and(others: readonly Generation[]): Generation[] {
    return [...this.byId.values(), ...others.filter(({ id }) => !this.byId.has(id))];
  }

  /** Those of which all that was read is told by their first bytes. */
  small(): Generation[] {
    return [...this.byId.values()].filter(({ offset, headBytes }) =>
      offset < HEAD_BYTES && headBytes === offset
    );
  }

  /** Where a generation that a file turned out to be is read from. */
  start(generation: Generation): Generation {
    const former = this.byId.get(generation.id);
    if (former === undefined) return generation;
    const { beganOffset: offset, headBytes } = former;
    // No crash may leave first bytes that are ahead of what was read.
    const isHeadRead = headBytes <= offset;
    return {
      ...generation,
      ...{ offset, lines: 0, tailSha256: null },
      ...isHeadRead ? {} : { headBytes: 0, headSha256: null },
    };
  }

  /** What a file is told by that stands for a generation: by these, until something has been read. */
  toldBy(generation: Generation): Generation {
    const former = this.byId.get(generation.id);
    if (former === undefined) return generation;
    if (generation.offset > former.beganOffset) {
      this.byId.delete(generation.id);
      return generation;
    }
    const { path, device, inode } = generation;
    const found = { ...former, path, device, inode };
    this.byId.set(generation.id, found);
    return found;
  }
}
