/** What queries ask of the region's archive: the two meet here. */
import type { HourRun } from "../../protocol/archive/archived_hours.ts";
import type { ChunkReference, ListedChunk } from "../../protocol/archive/archive_piece.ts";
import type { FormerChunk, SnapshotSource, TableNeeds } from "./snapshot.ts";

/** What a signed question may see of the archive. */
export interface ArchiveScope {
  /** Selector text. */
  selector: string;
  /** Names of its tables, and what it reads of each. */
  needs: Readonly<Record<string, TableNeeds>>;
  /** What it can reach: half-open, ISO 8601; null is unbounded. */
  since: string | null;
  until: string | null;
  /** Hosts and regions that its own conditions leave; null: all. */
  hosts: readonly string[] | null;
  regions: readonly string[] | null;
}

/** What of an archive a question has to read. Its share of memory is given back with it. */
export interface FoundChunks extends Disposable {
  /** By key. */
  chunks: ListedChunk[];
  /** Of which hours of the range it has how many chunks, ruled out or not. */
  hours: HourRun[];
}

export interface QueryArchive {
  /** The host that looks at it. */
  readonly host: string;
  /** The chunks of this region that a question has to read. @throws {LogvendError} */
  find(scope: ArchiveScope, signal: AbortSignal): Promise<FoundChunks>;
  /**
   * These chunks as tables, and the region that they are of; but for those that `isLeftOut` says.
   * @throws {LogvendError} not_permitted, where one of them is not of what was signed
   */
  open(
    chunks: readonly ChunkReference[],
    scope: ArchiveScope,
    signal: AbortSignal,
    isLeftOut?: (chunk: FormerChunk) => boolean,
  ): { source: SnapshotSource; region: string };
}
