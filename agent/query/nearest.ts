/** Archived chunks from where they are nearest: those that this host still holds from its own disk. */
import type { ChunkReference } from "../../protocol/archive/archive_piece.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import type { ArchiveScope, QueryArchive } from "../store/query_archive.ts";
import type { HeldChunks, SnapshotSource } from "../store/snapshot.ts";
import { united } from "./whole_history.ts";

export interface NearestParts {
  held: HeldChunks;
  archive: QueryArchive;
  chunks: readonly ChunkReference[];
  scope: ArchiveScope;
  signal: AbortSignal;
}

/** A chunk's key is its path in the data folder too, and its id says what is in it. */
export function nearest(parts: NearestParts): SnapshotSource {
  const { archive, chunks, scope, signal } = parts;
  return {
    tables: () => [],
    async snapshot(request) {
      const held = await parts.held.lend(request.tables, chunks.map(([key]) => key));
      try {
        const ids = new Set([...held.tables.values()].flatMap(({ chunkIds = [] }) => chunkIds));
        const others = chunks.filter(([key]) => !ids.has(parseChunkPath(key)?.chunk ?? ""));
        if (others.length === 0) return held;
        return united(held, await archive.open(others, scope, signal).source.snapshot(request));
      } catch (error) {
        await held[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}
