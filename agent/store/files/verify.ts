/** Whether stored files are what was written: their SHA-256, taken again when they have changed. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { StoredFile } from "../database/catalog.ts";
import type { Reserve } from "../database/reserve.ts";

/**
 * How files looked when they were last found right; in agent.db from format version 4 on.
 * `modified_ms` is the file's own time of modification.
 */
export const VERIFIED_TABLE = `
  CREATE TABLE verified (
    id TEXT PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL, verified_ms INTEGER NOT NULL) STRICT;
`;

/** Hashed at once: this long nothing else of the agent runs (1 ms a MB). */
const BLOCK_BYTES = 2 ** 20;

/** What is wrong with a file: other bytes than were written, or no file at all. */
export type Damage = "corrupt" | "missing";

/** Verifies the files of a data folder; notes what it finds, unless agent.db is only read. */
export class Verifier {
  constructor(
    private readonly options: {
      database: DatabaseSync;
      dataDir: string;
      readOnly: boolean;
      /** Of who writes: on a full disk too, what is right has to be known to leave it. */
      reserve?: Reserve;
      clock: () => number;
    },
  ) {}

  /** Notes files as they are: they were written and synced just now. */
  trust(files: readonly StoredFile[]) {
    for (const file of files) {
      const look = lookAt(this.pathOf(file));
      if (look !== null) this.note(file, look);
    }
  }

  /** Those that do not look as they did when they were last found right. */
  changed(files: readonly StoredFile[]): StoredFile[] {
    const known = this.options.database.prepare("SELECT * FROM verified WHERE id = ?");
    return files.filter((file) => {
      const row = known.get(file.id);
      const look = lookAt(this.pathOf(file));
      return row === undefined || look === null || look.bytes !== row.bytes ||
        look.modifiedMs !== row.modified_ms;
    });
  }

  /**
   * Hashes a file; null when it is what was written. One that has no SHA-256 yet (of an older
   * version, or found without agent.db) gets its own.
   * @throws when it cannot be told: no handle is left, no permission
   */
  async check(file: StoredFile, slowly?: Slowly): Promise<Damage | null> {
    const look = lookAt(this.pathOf(file));
    if (look === null) return "missing";
    const sha256 = await hashFile(this.pathOf(file), slowly).catch(unreadable);
    if (sha256 === null || (file.sha256 !== null && sha256 !== file.sha256)) return "corrupt";
    if (file.sha256 === null && !this.options.readOnly) {
      const { database } = this.options;
      database.prepare("UPDATE files SET sha256 = ? WHERE id = ?").run(sha256, file.id);
    }
    this.note(file, look);
    return null;
  }

  /** Id of the file that was verified longest ago, if that is before `beforeMs`. */
  oldest(beforeMs: number): string | null {
    const row = this.options.database.prepare(
      `SELECT files.id FROM files LEFT JOIN verified USING (id)
       WHERE coalesce(verified_ms, 0) < ? ORDER BY verified_ms LIMIT 1`,
    ).get(beforeMs);
    return row === undefined ? null : String(row.id);
  }

  private note({ id }: StoredFile, { bytes, modifiedMs }: Look) {
    const { database, readOnly, reserve, clock } = this.options;
    if (readOnly) return;
    const put = database.prepare( // of a file that has just been removed nothing is noted
      `INSERT OR REPLACE INTO verified SELECT id, $bytes, $modifiedMs, $nowMs FROM files
       WHERE id = $id`,
    );
    const write = () => put.run({ id, bytes, modifiedMs, nowMs: clock() });
    if (reserve === undefined) write();
    else reserve.spend(write);
  }

  private pathOf({ path }: StoredFile): string {
    return join(this.options.dataDir, path);
  }
}

/** A file is hashed in the background. */
export interface Slowly {
  /** Between two blocks. */
  pauseMs: number;
  signal: AbortSignal;
}

/** The SHA-256 of a file, lower-case hex. */
export async function hashFile(path: string, slowly?: Slowly): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const block = new Uint8Array(BLOCK_BYTES);
  for (let length = await file.read(block); length !== null; length = await file.read(block)) {
    hash.update(block.subarray(0, length));
    if (slowly === undefined) continue;
    slowly.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, slowly.pauseMs));
  }
  return hash.digest("hex");
}

/** What tells that a file has changed. */
interface Look {
  bytes: number;
  modifiedMs: number;
}

function lookAt(path: string): Look | null {
  try {
    const { size, mtime } = Deno.statSync(path);
    return { bytes: size, modifiedMs: mtime?.getTime() ?? 0 };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Null for a disk that cannot give back what was written. */
function unreadable(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "EIO") return null;
  throw error;
}
