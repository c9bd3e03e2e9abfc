/** A cheap look at a data folder that an agent is writing: asked every millisecond. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { HOST, REGION } from "./agent_process.ts";
import { filesBelow, isTemporary, sizeOf } from "./data_folder.ts";

export class Watch implements Disposable {
  private database: DatabaseSync | null = null;
  private readonly filesAtStart: number;

  constructor(private readonly dataDir: string) {
    this.filesAtStart = this.newestFile();
  }

  /** Whether a part is being written. */
  hasPartBegun(): boolean {
    return [...filesBelow(this.dataDir, "parts")].some(isTemporary);
  }

  /** Whether files have been committed since the watch began. */
  hasCommitted(): boolean {
    return this.newestFile() > this.filesAtStart;
  }

  /** Whether an hour is being sealed. */
  isSealing(): boolean {
    return this.sealings().length > 0;
  }

  /** Whether a chunk has its final name, and its sealing is not yet over. */
  hasChunkArrived(): boolean {
    return this.sealings().some((path) => sizeOf(join(this.dataDir, path)) !== null);
  }

  /** Whether files that are out may still have to be deleted. */
  isRetiring(): boolean {
    return this.select("SELECT 1 FROM removed WHERE on_disk = 1 LIMIT 1").length > 0;
  }

  /** Whether a chunk is so near that the next look must come at once. */
  isChunkNear(): boolean {
    return this.sealings().some((path) =>
      [...filesBelow(this.dataDir, join(path, ".."))].some(isTemporary)
    );
  }

  [Symbol.dispose]() {
    this.database?.close();
  }

  private newestFile(): number {
    return Number(
      this.select("SELECT coalesce(max(rowid), 0) AS newest FROM files")[0]?.newest ?? 0,
    );
  }

  /** Paths of chunks to come. */
  private sealings(): string[] {
    return this.select("SELECT chunk, stream, hour FROM sealings").map((row) =>
      chunkPath({
        stream: String(row.stream),
        hour: String(row.hour),
        chunk: String(row.chunk),
        host: HOST,
        region: REGION,
      })
    );
  }

  private select(sql: string) {
    try {
      this.database ??= new DatabaseSync(join(this.dataDir, "agent.db"), { readOnly: true });
      return this.database.prepare(sql).all();
    } catch {
      return []; // an agent that starts makes or recovers it just now
    }
  }
}
