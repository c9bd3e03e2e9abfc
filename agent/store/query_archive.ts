/** What queries ask of the region's archive: the two meet here. */
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

export interface QueryArchive {
  /** The host that looks at it. */
  readonly host: string;
  /** The chunks of this region that a question has to read. @throws {LogvendError} */
  list(scope: ArchiveScope, signal: AbortSignal): Promise<ListedChunk[]>;
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
