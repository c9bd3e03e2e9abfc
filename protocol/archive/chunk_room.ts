/**
 * How many archived chunks a process names at once, in the lists of all questions that run: each takes
 * some hundred bytes of memory. What does not fit is refused, never held.
 */
import { LogvendError } from "../errors.ts";

/** Of one process. */
export class ChunkRoom {
  private free: number;

  /** @param chunksMax of one question, and of all together */
  constructor(private readonly chunksMax: number) {
    this.free = chunksMax;
  }

  /** The share of one question. */
  open(): ChunkShare {
    let own = 0;
    return {
      take: (chunks) => {
        if (own + chunks > this.chunksMax) throw tooMany(this.chunksMax);
        if (chunks > this.free) throw othersHaveIt();
        own += chunks;
        this.free -= chunks;
      },
      [Symbol.dispose]: () => {
        this.free += own;
        own = 0;
      },
    };
  }
}

/** What one question takes; it is given back with it. */
export interface ChunkShare extends Disposable {
  /** @throws {LogvendError} bad_sql, for more than there ever is; unavailable, while others have it */
  take(chunks: number): void;
}

function tooMany(chunksMax: number): LogvendError {
  return new LogvendError(
    "bad_sql",
    `The question reads more than ${chunksMax} archived chunks: narrow its range or its hosts`,
  );
}

function othersHaveIt(): LogvendError {
  return new LogvendError(
    "unavailable",
    "Other questions that run read too many archived chunks beside this one: ask again later",
  );
}
