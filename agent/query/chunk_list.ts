/** A list of archived chunks as an answer: tables of texts, each small enough for one message. */
import {
  CHUNK_COLUMNS,
  CHUNK_LIST,
  chunkTexts,
  HOUR_COLUMNS,
  HOUR_LIST,
  hourTexts,
} from "../../protocol/archive/archive_piece.ts";
import type { HostCoverage } from "../../protocol/wire/messages.ts";
import type { AnswerTable, HostAnswer } from "../store/answer.ts";
import type { FoundChunks } from "../store/query_archive.ts";

/** Some hundred bytes each. */
const LISTED_AT_ONCE = 400;

type AnswerColumns = Extract<AnswerTable, { encoding: "text" }>["columns"];

const NOTHING_READ: HostCoverage = {
  chunks: 0,
  rows_scanned: 0,
  bytes_read: 0,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

/** One table of each at least: the lists may be empty. What was found goes with the answer. */
export function listAnswer(found: FoundChunks): HostAnswer {
  const { chunks, hours } = found;
  const inTables = <T>(
    all: readonly T[],
    { table, columns, textsOf }: {
      table: string;
      columns: AnswerColumns;
      textsOf: (some: readonly T[]) => (string | null)[][];
    },
  ) =>
    Array.from({ length: Math.ceil(all.length / LISTED_AT_ONCE) || 1 }, (_, i): AnswerTable => {
      const some = all.slice(i * LISTED_AT_ONCE, (i + 1) * LISTED_AT_ONCE);
      const values = textsOf(some);
      const bytes = JSON.stringify(values).length;
      return { table, rows: some.length, bytes, encoding: "text", columns, values };
    });
  return {
    tables: [
      ...inTables(chunks, { table: CHUNK_LIST, columns: CHUNK_COLUMNS, textsOf: chunkTexts }),
      ...inTables(hours, { table: HOUR_LIST, columns: HOUR_COLUMNS, textsOf: hourTexts }),
    ],
    coverage: NOTHING_READ,
    sqlMs: 0,
    [Symbol.asyncDispose]: () => Promise.resolve(found[Symbol.dispose]()),
  };
}
