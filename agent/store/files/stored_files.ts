/** A data folder that no agent is writing, read as it lies there: parts and chunks, no newest rows. */
import { LogvendError } from "../../../protocol/errors.ts";
import { reasonOf } from "../../../protocol/file_error.ts";
import { ACCESS_SHAPE } from "../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { ACCOUNTING, QUERY_LOG, REJECTS, tablesOf } from "../../../protocol/schema/streams.ts";
import { writeAccountFile } from "../../account/account_file.ts";
import { hoursOf } from "../../account/book.ts";
import type { Books } from "../../account/report.ts";
import { readQueryLog } from "../../query_log/query_log.ts";
import { writeQueryLogFile } from "../../query_log/query_log_file.ts";
import { Catalog } from "../database/catalog.ts";
import { databasePath, openDatabase } from "../database/database.ts";
import { removeIfThere } from "../../../protocol/durable_file.ts";
import { gapTotal } from "../database/gaps.ts";
import { filesOfTables, makeTables } from "../rows/made_tables.ts";
import { lostIn, removedTotals } from "../database/removed.ts";
import type { SnapshotRequest, SnapshotSource } from "../snapshot.ts";
import { filesOf, microseconds, snapshotOf } from "./stored_snapshot.ts";
import { Verifier } from "./verify.ts";

const WHENEVER = { since: null, until: null };

export interface StoredFilesOptions {
  dataDir: string;
  streams: readonly string[];
  host: string;
  /** Where files that are made for one query lie; the data folder may be somebody else's. */
  scratchFolder: string;
}

/** @throws {LogvendError} unavailable */
export function openStoredFiles(options: StoredFilesOptions): SnapshotSource & Disposable {
  const { dataDir, streams, host, scratchFolder } = options;
  checkThere(dataDir);
  const database = openDatabase(dataDir, { readOnly: true });
  const catalog = new Catalog(database);
  const made = (request: SnapshotRequest) =>
    makeTables(request.tables, scratchFolder, {
      [ACCOUNTING]: (path) =>
        writeAccountFile(path, {
          host,
          counts: catalog.counts(hoursOf(request)),
          generations: catalog.generations(),
          gaps: catalog.gaps(WHENEVER),
        }),
      [QUERY_LOG]: (path) => writeQueryLogFile(path, { host, entries: readQueryLog(database) }),
    });
  const verifier = new Verifier({ database, dataDir, readOnly: true, clock: Date.now });
  const verified = async ({ tables, ...range }: SnapshotRequest) => {
    const damaged = new Set<string>();
    const lost = lostIn(database, tables, microseconds(range));
    const files = tables.flatMap((name) => catalog.files(name, microseconds(range)));
    for (const file of verifier.changed(files)) {
      if (await verifier.check(file) === null) continue;
      damaged.add(file.id);
      lost.files++;
      lost.rows += file.rows;
    }
    return { lost, damaged };
  };
  return {
    tables: () => tablesOf(streams, (stream) => catalog.shape(stream) ?? ACCESS_SHAPE),
    async snapshot(request) {
      const { lost, damaged: without } = await verified(request);
      const own = await made(request);
      const tables = new Map(request.tables.map((name) => [
        name,
        own.get(name) ?? filesOf({ catalog, dataDir, name, range: request, without }),
      ]));
      const { rows } = filesOf({ catalog, dataDir, name: REJECTS, range: request });
      const gaps = gapTotal(catalog.gaps(request));
      return snapshotOf({ tables, rejects: rows, gaps, lost }, async () => {
        for (const path of filesOfTables(own)) await removeIfThere(path);
      });
    },
    [Symbol.dispose]: () => database.close(),
  };
}

/** All that agent.db says, of one moment; also while an agent runs. @throws {LogvendError} unavailable */
export function readBooks(dataDir: string): Books {
  checkThere(dataDir);
  const database = openDatabase(dataDir, { readOnly: true });
  try {
    const catalog = new Catalog(database);
    database.exec("BEGIN"); // one moment for all that follows
    const books = {
      generations: catalog.generations(),
      origins: catalog.origins(),
      counts: catalog.counts(WHENEVER),
      files: catalog.allFiles(),
      gaps: catalog.gaps(WHENEVER),
      removed: removedTotals(database),
    };
    database.exec("COMMIT");
    return books;
  } finally {
    database.close();
  }
}

/** What a stream's stored rows are made of; null: nothing of it was stored. @throws {LogvendError} unavailable */
export function readShape(dataDir: string, stream: string): StreamShape | null {
  checkThere(dataDir);
  const database = openDatabase(dataDir, { readOnly: true });
  try {
    return new Catalog(database).shape(stream);
  } finally {
    database.close();
  }
}

function checkThere(dataDir: string) {
  const path = databasePath(dataDir);
  try {
    Deno.statSync(path);
  } catch (cause) {
    throw new LogvendError(
      "unavailable",
      cause instanceof Deno.errors.NotFound
        ? `${dataDir} holds no data yet: start the agent or import some logs`
        : `Cannot read ${path}: ${reasonOf(cause)}`,
      { cause },
    );
  }
}
