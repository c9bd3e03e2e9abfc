/**
 * Packed log files that have been read, in agent.db: another start need not unpack them to know. A note
 * says which generation a file holds, and how much of it; whoever reads it looks whether that is so.
 */
import type { DatabaseSync } from "node:sqlite";
import type { PackedNote, PackedNotes } from "../batch.ts";
import { transaction } from "./transaction.ts";

/** The table, in agent.db from format version 13 on. `file`, `state`: as ingest tells files apart. */
export const PACKED_TABLE = `
  CREATE TABLE packed_files (
    stream TEXT NOT NULL, file TEXT NOT NULL, state TEXT NOT NULL,
    generation TEXT NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (stream, file)) STRICT;
`;

export class PackedBook implements PackedNotes {
  constructor(private readonly database: DatabaseSync) {}

  of(stream: string): PackedNote[] {
    return this.database.prepare("SELECT * FROM packed_files WHERE stream = ?").all(stream)
      .map((row) => ({
        file: String(row.file),
        state: String(row.state),
        generation: String(row.generation),
        bytes: Number(row.bytes),
      }));
  }

  change(
    stream: string,
    { noted, gone }: { noted: readonly PackedNote[]; gone: readonly string[] },
  ) {
    transaction(this.database, () => {
      const remove = this.database.prepare(
        "DELETE FROM packed_files WHERE stream = ? AND file = ?",
      );
      for (const file of gone) remove.run(stream, file);
      const put = this.database.prepare(
        `INSERT OR REPLACE INTO packed_files
         VALUES ($stream, $file, $state, $generation, $bytes)`,
      );
      for (const note of noted) put.run({ stream, ...note });
    });
  }
}
