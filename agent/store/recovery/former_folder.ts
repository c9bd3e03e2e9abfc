/**
 * What this host archived before it had this data folder: an earlier one was lost. Its chunks are in
 * the archive alone, and so are its rows, unless their log files are still there and were read again.
 */
import type { DatabaseSync } from "node:sqlite";
import { originOf } from "../../../protocol/chunk/chunk_id.ts";
import type { Generation } from "../batch.ts";
import type { Reserve } from "../database/reserve.ts";
import type { FormerChunk } from "../snapshot.ts";

/** In `meta`: until when there are such chunks (empty: there are none), and whether that is known. */
const UNTIL_KEY = "former_until";
const LOOKED_KEY = "former_looked";

const HOUR_MS = 3_600_000;

/** Until when the archive alone may have rows of this host from an earlier folder; null: it has none. */
export function formerUntil(database: DatabaseSync): string | null {
  const value = database.prepare("SELECT value FROM meta WHERE key = ?").get(UNTIL_KEY)?.value;
  return typeof value === "string" && value !== "" ? value : null;
}

export class FormerFolder {
  constructor(
    private readonly options: {
      database: DatabaseSync;
      /** It is looked for at the start, also on a full disk. */
      reserve: Reserve;
      clock: () => number;
    },
  ) {}

  /** Whether the archive has been looked through. Until then there may be anything before now. */
  isKnown(): boolean {
    const { database, reserve, clock } = this.options;
    if (!this.has(UNTIL_KEY)) {
      const put = database.prepare("INSERT INTO meta VALUES (?, ?)");
      reserve.spend(() => put.run(UNTIL_KEY, new Date(clock()).toISOString()));
    }
    return this.has(LOOKED_KEY);
  }

  private has(key: string): boolean {
    return this.options.database.prepare("SELECT 1 FROM meta WHERE key = ?").get(key) !== undefined;
  }

  /** Whether a chunk was made in this folder, or adopted by it; also if rows were erased from it since. */
  isOfThis(id: string): boolean {
    const isIt = "id >= $origin AND id < $origin || '~'";
    return this.options.database.prepare(
      `SELECT 1 FROM files WHERE ${isIt} UNION ALL SELECT 1 FROM archived WHERE ${isIt}
       UNION ALL SELECT 1 FROM removed WHERE ${isIt}`,
    ).get({ origin: originOf(id) }) !== undefined;
  }

  /** There is a chunk of this hour that was not made here. */
  extend(hour: string) {
    const { database, reserve } = this.options;
    const until = new Date(Date.parse(`${hour}:00:00Z`) + HOUR_MS).toISOString();
    if ((formerUntil(database) ?? "") >= until) return;
    const put = database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
    reserve.spend(() => put.run(UNTIL_KEY, until));
  }

  /** It has been looked through: until when it has chunks of an earlier folder; null: it has none. */
  note(until: string | null) {
    const { database, reserve } = this.options;
    const put = database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?), (?, '1')");
    reserve.spend(() => put.run(UNTIL_KEY, until ?? "", LOOKED_KEY));
  }
}

/**
 * Whether lines of a chunk have been read again, from a file that is known here under another id:
 * the same inode that begins with the same bytes, or the same content.
 */
export function isReadAgain(here: readonly Generation[], { runs, generations }: FormerChunk) {
  const known = new Set(here.map(({ id }) => id));
  return generations.some((former) => {
    if (known.has(former.id)) return false; // it was read here, and nowhere else
    const starts = runs.filter(({ generation }) => generation === former.id)
      .map(({ start }) => start);
    return here.some((now) => isSameFile(now, former) && now.offset > Math.min(...starts));
  });
}

function isSameFile(now: Generation, former: FormerChunk["generations"][number]): boolean {
  if (now.contentSha256 !== null && now.contentSha256 === former.contentSha256) return true;
  if (now.device !== former.device || now.inode !== former.inode) return false;
  return now.headBytes !== former.headBytes || now.headSha256 === former.headSha256;
}
