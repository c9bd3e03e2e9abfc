/** A list of archived chunks as an answer: tables of texts, each small enough for one message. */
import { CHUNK_COLUMNS, CHUNK_LIST, chunkTexts } from "../../protocol/archive/archive_piece.ts";
import type { ListedChunk } from "../../protocol/archive/archive_piece.ts";
import type { HostCoverage } from "../../protocol/messages.ts";
import type { AnswerTable, HostAnswer } from "../store/answer.ts";

/** Some hundred bytes each. */
const LISTED_AT_ONCE = 400;

const NOTHING_READ: HostCoverage = {
  chunks: 0,
  rows_scanned: 0,
  bytes_read: 0,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

/** One table at least: the list may be empty. */
export function listAnswer(chunks: readonly ListedChunk[]): HostAnswer {
  const tables: AnswerTable[] = [];
  for (let at = 0; at === 0 || at < chunks.length; at += LISTED_AT_ONCE) {
    const some = chunks.slice(at, at + LISTED_AT_ONCE);
    const values = chunkTexts(some);
    const bytes = JSON.stringify(values).length;
    const columns = CHUNK_COLUMNS;
    tables.push({ table: CHUNK_LIST, rows: some.length, bytes, encoding: "text", columns, values });
  }
  return {
    tables,
    coverage: NOTHING_READ,
    sqlMs: 0,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
