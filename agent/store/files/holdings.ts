/** What the store holds, as the fleet is told: a host that cannot match is then not asked. */
import type { DatabaseSync } from "node:sqlite";
import { CHUNKS_OF_DAY_MAX, DAYS_MAX } from "../../../protocol/wire/holdings.ts";
import type { DayHoldings, HostHoldings } from "../../../protocol/wire/holdings.ts";
import { sha256Hex } from "../../../protocol/sha256.ts";
import type { Gap } from "../batch.ts";
import { formerUntil } from "../recovery/former_folder.ts";
import type { MemoryRows } from "../rows/memory_rows.ts";
import { LOST } from "../database/removed.ts";

const HOUR_MS = 3_600_000;

/** Rows come some time after they were logged: for an hour back they are no news. */
const USUALLY_LATE_MS = HOUR_MS;

/** Enough to tell the contents of a day apart. */
const DIGEST_DIGITS = 12;

/** Every chunk, lost file and gap, by day. */
const ITEMS = `
  SELECT substr(hour, 1, 10) AS day, id AS item FROM files WHERE kind = 'chunk'
  UNION ALL SELECT substr(hour, 1, 10), 'lost ' || id FROM removed WHERE reason IN ${LOST}
  UNION ALL SELECT date(seen_ms / 1000, 'unixepoch'), 'gap ' || generation || seen_ms FROM gaps
  ORDER BY 1, 2`;

const UNARCHIVED = `SELECT min(hour) AS hour FROM files
  WHERE NOT EXISTS (SELECT 1 FROM archived WHERE archived.id = files.id)`;

const MARKS = `
  SELECT stream, ts_min_us AS first_us, ts_max_us AS last_us FROM removed
    WHERE reason IN ${LOST} AND substr(hour, 1, 10) = $day
  UNION ALL SELECT NULL, seen_ms * 1000, seen_ms * 1000 + 999 FROM gaps
    WHERE date(seen_ms / 1000, 'unixepoch') = $day`;

export interface HoldingsOptions {
  database: DatabaseSync;
  memory: MemoryRows;
  host: string;
  /** Those that are not durable yet. */
  waitingGaps: () => readonly Gap[];
  clock: () => number;
}

export class Holdings {
  /** What was said last: the first hour that may hold anything. */
  private saidUs = -Infinity;
  private onLate: () => void = () => {};
  private daysKnown: { changes: number; days: Record<string, string> } | null = null;
  private unarchivedKnown: { changes: number; hour: string | null } | null = null;

  private readonly ownRows: boolean;

  constructor(private readonly options: HoldingsOptions) {
    this.ownRows = hasOwnRows(options.database, options.host);
  }

  /** Names who is told, at once, of rows that are older than was said. It must not throw. */
  watch(onLate: () => void): void {
    this.onLate = onLate;
  }

  /** Rows have come: to be called before anything can read them. */
  rowsAdded(): void {
    if (this.saidUs !== -Infinity && this.memoryFromUs() < this.saidUs) this.onLate();
  }

  /** All of it in short. @param isRead whether the log files have been read to their ends */
  statement(isRead: boolean): HostHoldings {
    const days = this.days();
    const fromMs = isRead && Object.keys(days).length <= DAYS_MAX ? this.openFromMs() : null;
    this.saidUs = fromMs === null ? -Infinity : fromMs * 1_000;
    const said = {
      open_from: fromMs === null ? null : new Date(fromMs).toISOString(),
      gone_until: this.goneUntil(),
      unarchived_from: this.unarchivedFrom(),
      own_rows: this.ownRows,
      days: fromMs === null ? {} : days,
    };
    return { version: digestOf(JSON.stringify(said)), ...said };
  }

  /** What there is of one day, of all streams. */
  day(day: string): DayHoldings {
    const { database } = this.options;
    const rows = database.prepare(
      `SELECT stream, id, rows, bytes, ts_min_us, ts_max_us FROM files
       WHERE kind = 'chunk' AND substr(hour, 1, 10) = ? ORDER BY stream, ts_min_us, id`,
    ).all(day);
    const marks = database.prepare(MARKS).all({ day }).map((
      row,
    ) => [
      row.stream === null ? null : String(row.stream),
      Number(row.first_us),
      Number(row.last_us),
    ]) as DayHoldings["marks"]; // map() forgets that these are three
    const digest = this.days()[day] ?? "";
    if (Math.max(rows.length, marks.length) > CHUNKS_OF_DAY_MAX) {
      return { day, digest, chunks: null, marks: [] };
    }
    const chunks: NonNullable<DayHoldings["chunks"]> = {};
    for (const { stream, id, ...row } of rows) {
      const { rows: count, bytes, ts_min_us, ts_max_us } = row;
      (chunks[String(stream)] ??= []).push(
        [String(id), Number(count), Number(bytes), Number(ts_min_us), Number(ts_max_us)],
      );
    }
    return { day, digest, chunks, marks };
  }

  /** What is in no chunk yet. */
  open(): { rows: number; bytes: number } {
    const { database, memory } = this.options;
    const row = database.prepare(
      `SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes FROM files
       WHERE kind = 'part'`,
    ).get();
    return { rows: Number(row?.rows) + memory.rows, bytes: Number(row?.bytes) };
  }

  /** The first hour of rows that are in no archived chunk; null: all are. */
  private unarchivedFrom(): string | null {
    const changes = this.changes();
    if (this.unarchivedKnown?.changes !== changes) {
      const hour = this.options.database.prepare(UNARCHIVED).get()?.hour;
      this.unarchivedKnown = { changes, hour: typeof hour === "string" ? hour : null };
    }
    const { hour } = this.unarchivedKnown;
    const storedMs = hour === null ? Infinity : Date.parse(`${hour}:00:00Z`);
    const memoryMs = Math.floor(this.memoryFromUs() / 1_000 / HOUR_MS) * HOUR_MS;
    const fromMs = Math.min(storedMs, memoryMs);
    return fromMs === Infinity ? null : new Date(fromMs).toISOString();
  }

  /** Changes with agent.db. */
  private changes(): number {
    return Number(this.options.database.prepare("SELECT total_changes() AS n").get()?.n);
  }

  /** Digests by day; made again when agent.db has changed. */
  private days(): Record<string, string> {
    const { database } = this.options;
    const changes = this.changes();
    if (this.daysKnown?.changes === changes) return this.daysKnown.days;
    const items = database.prepare(ITEMS).all();
    const days: Record<string, string> = {};
    for (const [day, ofDay] of Map.groupBy(items, (row) => String(row.day))) {
      days[day] = digestOf(ofDay.map(({ item }) => item).join());
    }
    this.daysKnown = { changes, days };
    return days;
  }

  /** The first hour of what is in no chunk yet, and of what may come any moment. */
  private openFromMs(): number | null {
    const { database, waitingGaps, clock } = this.options;
    const part = database.prepare("SELECT min(ts_min_us) AS us FROM files WHERE kind = 'part'")
      .get()?.us;
    const fromMs = Math.min(
      clock() - USUALLY_LATE_MS,
      this.memoryFromUs() / 1_000,
      ...(part === null || part === undefined ? [] : [Number(part) / 1_000]),
      ...waitingGaps().map(({ seenMs }) => seenMs),
    );
    return fromMs < 0 ? null : Math.floor(fromMs / HOUR_MS) * HOUR_MS;
  }

  /** The end of the newest row that left, or never was in this folder; null: there is none. */
  goneUntil(): string | null {
    const ends = [this.removedUntil(), formerUntil(this.options.database)];
    return ends.filter((end) => end !== null).sort().at(-1) ?? null;
  }

  /** The same of what left for want of room, or of age. */
  private removedUntil(): string | null {
    const us = this.options.database.prepare(
      "SELECT max(ts_max_us) AS us FROM removed WHERE reason IN ('retention', 'quota')",
    ).get()?.us;
    if (us === null || us === undefined) return null;
    return new Date(Math.floor(Number(us) / 1_000) + 1).toISOString();
  }

  private memoryFromUs(): number {
    return Math.min(...this.options.memory.hours().map(({ tsMinUs }) => tsMinUs));
  }
}

/**
 * Whether all rows of a data folder have this host's name: it was made under that, and every chunk
 * is called by it. Of one that an older version has made nobody knows.
 */
function hasOwnRows(database: DatabaseSync, host: string): boolean {
  const files = database.prepare(
    `SELECT count(*) AS files, count(*) FILTER (WHERE kind = 'chunk' AND
       substr(path, -length($host || id) - 10) <> '/' || $host || '.' || id || '.parquet')
       AS others FROM files`,
  ).get({ host });
  const key = "made_as_host";
  if (files?.files === 0) {
    database.prepare("INSERT OR IGNORE INTO meta VALUES (?, ?)").run(key, host);
  }
  const madeAs = database.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.value;
  return madeAs === host && files?.others === 0;
}

function digestOf(text: string): string {
  return sha256Hex(text).slice(0, DIGEST_DIGITS);
}
