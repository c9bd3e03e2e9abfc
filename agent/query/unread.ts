/** Archived chunks that an answer lacks, and those that it has. */
import { CHUNKS_OF_PIECE_MAX } from "../../protocol/archive/archive_piece.ts";
import { parseChunkPath } from "../../protocol/chunk/chunk_path.ts";
import type { HostCoverage, UnreadChunks } from "../../protocol/wire/messages.ts";
import type {
  ArchivedFile,
  ArchivedFiles,
  Snapshot,
  UnreadChunk,
  UnreadHost,
} from "../store/snapshot.ts";

/** Of a message, which has a place for as many hosts as a piece has chunks. */
const REASON_LENGTH_MAX = 250;

/** The paths of its files. */
export function pathsOf({ files }: Pick<ArchivedFiles, "files">): string[] {
  return files.map(({ path }) => path);
}

/** As a coverage says it: by host, with the first of its chunks. */
export function unreadByHost(
  unread: readonly (UnreadChunk | UnreadHost)[],
): Pick<HostCoverage, "unread"> {
  if (unread.length === 0) return {};
  const byHost = Map.groupBy(
    unread,
    (one) => "host" in one ? one.host : parseChunkPath(one.key)?.host ?? "",
  );
  const said = [...byHost].map(([host, all]): UnreadChunks => {
    const chunks = all.filter((one) => "key" in one);
    const [{ reason } = { reason: "" }] = all;
    const key = chunks[0]?.key ?? "";
    return { host, chunks: chunks.length, key, reason: reason.slice(0, REASON_LENGTH_MAX) };
  });
  return { unread: said.slice(0, CHUNKS_OF_PIECE_MAX) };
}

/** A snapshot without some of its archived files. What it has lent stays lent. */
export function withoutFiles(
  snapshot: Snapshot,
  lacking: readonly ArchivedFile[],
  reason: string,
): Snapshot {
  const paths = new Set(lacking.map(({ path }) => path));
  const tables = [...snapshot.tables].map(([name, table]) => {
    const archived = table.archived?.map((some) => {
      return { ...some, files: some.files.filter(({ path }) => !paths.has(path)) };
    }).filter(({ files }) => files.length > 0);
    const left = (archived ?? []).flatMap(({ files }) => files);
    const all = (table.archived ?? []).flatMap(({ files }) => files);
    const rows = table.rows - rowsOf(all) + rowsOf(left);
    return [name, { ...table, archived, rows }] as const;
  });
  const unread = lacking.map(({ key }) => ({ key, reason }));
  return {
    ...snapshot,
    tables: new Map(tables),
    unread: [...snapshot.unread ?? [], ...unread],
    [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
  };
}

function rowsOf(files: readonly ArchivedFile[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0);
}
