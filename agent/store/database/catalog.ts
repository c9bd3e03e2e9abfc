/** What agent.db says: file generations, stored files (parts and chunks), sealings, seen requests. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { addCounts, readCounts } from "../../account/book.ts";
import type { HourRange } from "../../account/book.ts";
import type { Count } from "../../account/tally.ts";
import type { Gap, Generation } from "../batch.ts";
import { StreamShape, uniteShapes } from "../../../protocol/schema/stream_shape.ts";
import { addTouched } from "./touched.ts";
import type { Touched } from "./touched.ts";
import type { Run } from "../../../queries/restore/slices.ts";
import { settlePassed } from "../recovery/former_lines.ts";
import type { PassedTo } from "../recovery/former_lines.ts";
import { transaction } from "./transaction.ts";
import { addGaps, fillGaps, readGaps } from "./gaps.ts";
import type { SeenRange } from "./gaps.ts";

export type { Run };

/** A Parquet file of the store: a part (one flush) or a chunk (one sealed hour). */
export interface StoredFile {
  /** 16 hex digits. */
  id: string;
  kind: "part" | "chunk";
  stream: string;
  /** UTC hour of the events, `2026-11-22T19`. */
  hour: string;
  /** Relative to the data folder. */
  path: string;
  rows: number;
  bytes: number;
  /** Of the column ts, microseconds since 1970, both inclusive. */
  tsMinUs: number;
  tsMaxUs: number;
  runs: Run[];
  /** Of the file; chunks only. */
  sha256: string | null;
  createdMs: number;
}

/** A chunk that is about to be written: recorded first, so that a second try makes the same one. */
export interface Sealing {
  chunk: string;
  stream: string;
  hour: string;
  /** Ids of the parts that go into it. */
  parts: string[];
}

/** What one flush makes durable. */
export interface Flushed {
  parts: readonly StoredFile[];
  /** Where in time their rows lie. */
  touched: readonly Touched[];
  /** How far every generation has become durable. */
  generations: readonly Generation[];
  /** Where new generations began, by id. */
  origins: ReadonlyMap<string, Origin>;
  /** What became of the lines. */
  counts: readonly Count[];
  /** What can be read no more. */
  gaps: readonly Gap[];
  /** Of the parts' streams. */
  shapes: ReadonlyMap<string, StreamShape>;
  /** How far archived lines were passed over. */
  passed: readonly PassedTo[];
}

/** What is found out about files that agent.db did not name. */
export interface Adoption {
  adopted: readonly StoredFile[];
  /** Their rows are in adopted chunks. */
  replaced: readonly StoredFile[];
  /** How far they were durable when the adopted files were committed. */
  generations: readonly AdoptedGeneration[];
  counts: readonly Count[];
  gaps: readonly Gap[];
  /** What the adopted files' rows are made of, by stream. */
  shapes: ReadonlyMap<string, StreamShape>;
}

interface AdoptedGeneration extends Pick<Origin, "inputPath" | "beganOffset"> {
  generation: Generation;
  /** Bytes of adopted rows of which nothing was counted. */
  uncountedBytes: number;
}

/** Where the reading of a generation began. */
export interface Origin {
  /** What lies before it has not been counted, though it may have been read. */
  startOffset: number;
  /** Null: nobody knows any more. */
  beganOffset: number | null;
  /** Its path at first sight: generations of one input share it, also when they are renamed. */
  inputPath: string;
}

/** Nobody knows more of a file that is taken in than where it begins and ends. */
function touchedBy({ stream, tsMinUs: fromUs, tsMaxUs: toUs }: StoredFile): Touched {
  return { stream, fromUs, toUs };
}

type Row = Record<string, SQLOutputValue>;

export class Catalog {
  /** @param windowed streams whose rows windows count */
  constructor(
    private readonly database: DatabaseSync,
    private readonly windowed: ReadonlySet<string> = new Set(),
  ) {}

  /** @param stream null: of all */
  generations(stream: string | null = null): Generation[] {
    const where = "WHERE ?1 IS NULL OR stream = ?1";
    return this.select(`SELECT * FROM generations ${where} ORDER BY first_seen_ms, rowid`)
      .all(stream).map(generationOf);
  }

  /** Some generations, and where the reading of them began. */
  generationsAndOrigins(ids: readonly string[]): { generation: Generation; origin: Origin }[] {
    return this.select("SELECT * FROM generations WHERE id IN (SELECT value FROM json_each(?))")
      .all(JSON.stringify(ids))
      .map((row) => ({ generation: generationOf(row), origin: originOf(row) }));
  }

  /** Where the reading of every generation began, by id. */
  origins(): Map<string, Origin> {
    const rows = this.select("SELECT * FROM generations").all();
    return new Map(rows.map((row) => [String(row.id), originOf(row)]));
  }

  /** One commit: the parts of a flush, how far every generation has become durable, the counts. */
  commitFlush({ parts, touched, generations, origins, counts, gaps, ...more }: Flushed) {
    transaction(this.database, () => {
      for (const part of parts) this.insertFile(part);
      addTouched(this.database, touched, this.windowed);
      const put = this.putGeneration();
      for (const generation of generations) put(generation, origins.get(generation.id));
      addCounts(this.database, counts);
      addGaps(this.database, gaps);
      fillGaps(this.database, generations);
      for (const [stream, shape] of more.shapes) this.putShape(stream, shape);
      settlePassed(this.database, more.passed);
    });
  }

  /** What a stream's rows are made of; null: it has none yet. */
  shape(stream: string): StreamShape | null {
    const row = this.select("SELECT shape FROM streams WHERE stream = ?").get(stream);
    return row === undefined ? null : StreamShape.parse(JSON.parse(String(row.shape)));
  }

  private putShape(stream: string, shape: StreamShape) {
    this.select("INSERT OR REPLACE INTO streams VALUES (?, ?)").run(stream, JSON.stringify(shape));
  }

  /** Files in the order they were made; of one stream and, when given, touching a time range. */
  files(stream: string, range: { sinceUs: number; untilUs: number } | null = null): StoredFile[] {
    return this.select(
      `SELECT * FROM files WHERE stream = $stream AND ts_max_us >= $since AND ts_min_us < $until
       ORDER BY created_ms, rowid`,
    ).all({
      stream,
      since: range?.sinceUs ?? Number.MIN_SAFE_INTEGER,
      until: range?.untilUs ?? Number.MAX_SAFE_INTEGER,
    }).map(fileOf);
  }

  /** Undefined when agent.db does not name it (any more). */
  file(id: string): StoredFile | undefined {
    return this.select("SELECT * FROM files WHERE id = ?").all(id).map(fileOf)[0];
  }

  /** The files of one hour, in the order they were made. */
  filesOfHour(stream: string, hour: string): StoredFile[] {
    return this.select(
      "SELECT * FROM files WHERE stream = ? AND hour = ? ORDER BY created_ms, rowid",
    ).all(stream, hour).map(fileOf);
  }

  allFiles(): StoredFile[] {
    return this.select("SELECT * FROM files ORDER BY created_ms, rowid").all()
      .map(fileOf);
  }

  /** What became of the lines of these hours. */
  counts(hours: HourRange): Count[] {
    return readCounts(this.database, hours);
  }

  /** The gaps that were seen in a range; `waiting` are not durable yet. */
  gaps(range: SeenRange, waiting: readonly Gap[] = []): Gap[] {
    return readGaps(this.database, range, waiting);
  }

  /** Rows and bytes of a stream's files; of every stream without a name. */
  totals(stream?: string): { rows: number; bytes: number } {
    const row = this.select(
      `SELECT coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes FROM files
       WHERE $stream IS NULL OR stream = $stream`,
    ).get({ stream: stream ?? null });
    return { rows: Number(row?.rows), bytes: Number(row?.bytes) };
  }

  sealings(): Sealing[] {
    return this.select("SELECT * FROM sealings").all().map((row) => ({
      chunk: String(row.chunk),
      stream: String(row.stream),
      hour: String(row.hour),
      parts: JSON.parse(String(row.parts)),
    }));
  }

  beginSealing(sealing: Sealing) {
    this.database.prepare("INSERT INTO sealings VALUES (?, ?, ?, ?)")
      .run(sealing.chunk, sealing.stream, sealing.hour, JSON.stringify(sealing.parts));
  }

  /** One commit: the chunk is in, its parts are out. @throws when one of them was out already */
  commitSealing(sealing: Sealing, chunk: StoredFile) {
    transaction(this.database, () => {
      this.insertFile(chunk);
      const remove = this.database.prepare("DELETE FROM files WHERE id = ?");
      for (const part of sealing.parts) {
        if (remove.run(part).changes !== 1) throw new Error(`Part ${part} is gone`);
      }
      this.database.prepare("DELETE FROM sealings WHERE chunk = ?").run(sealing.chunk);
    });
  }

  /** One commit: a chunk has another id and file. False: it was out already. */
  renameChunk(before: StoredFile, after: StoredFile): boolean {
    return transaction(this.database, () => {
      if (this.file(before.id) === undefined) return false;
      this.insertFile(after);
      this.database.prepare("UPDATE erasures_applied SET chunk = ? WHERE chunk = ?")
        .run(after.id, before.id);
      this.database.prepare("DELETE FROM files WHERE id = ?").run(before.id);
      return true;
    });
  }

  /** One commit: files that agent.db did not name are in, those whose rows they hold are out. */
  commitAdoption({ adopted, replaced, generations, counts, gaps, shapes }: Adoption) {
    transaction(this.database, () => {
      const put = this.putGeneration();
      for (const { id } of replaced) {
        this.database.prepare("DELETE FROM sealings WHERE parts LIKE $like")
          .run({ like: `%"${id}"%` });
        this.database.prepare("DELETE FROM files WHERE id = ?").run(id);
      }
      for (const file of adopted) this.insertFile(file);
      addTouched(this.database, adopted.map(touchedBy), this.windowed);
      for (const { generation, uncountedBytes, ...origin } of generations) {
        // What was read counts from behind the lines of which nothing was counted.
        this.database.prepare(
          "UPDATE generations SET start_offset = start_offset + $uncountedBytes WHERE id = $id",
        ).run({ id: generation.id, uncountedBytes });
        put(generation, { ...origin, startOffset: uncountedBytes });
      }
      addCounts(this.database, counts);
      addGaps(this.database, gaps);
      for (const [stream, shape] of shapes) {
        const known = this.shape(stream);
        this.putShape(stream, known === null ? shape : uniteShapes(known, shape));
      }
    });
  }

  /** Says whether this request is remembered. */
  knowsRequest(id: string): boolean {
    return this.database.prepare("SELECT 1 FROM seen WHERE id = ?").get(id) !== undefined;
  }

  /** Remembers a request id until it expires; `more` is written in the same commit. */
  rememberRequest(id: string, expiresAtMs: number, nowMs: number, more = () => {}): void {
    transaction(this.database, () => {
      this.database.prepare("DELETE FROM seen WHERE expires_at_ms < ?").run(nowMs);
      this.database.prepare("INSERT OR IGNORE INTO seen VALUES (?, ?)").run(id, expiresAtMs);
      more();
    });
  }

  /** Numbers come as bigint: SQLite's may be more than a JavaScript number holds. */
  private select(sql: string): StatementSync {
    const statement = this.database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  }

  /** In a transaction of the caller's. */
  insertFile(file: StoredFile) {
    this.database.prepare(
      `INSERT INTO files VALUES ($id, $kind, $stream, $hour, $path, $rows, $bytes,
         $tsMinUs, $tsMaxUs, $runs, $sha256, $createdMs)`,
    ).run({ ...file, runs: JSON.stringify(file.runs) });
  }

  /** There may be thousands of one commit: the statement is prepared once. */
  private putGeneration(): (generation: Generation, origin?: Origin) => void {
    const put = this.database.prepare(
      `INSERT INTO generations VALUES ($id, $stream, $path, $device, $inode, $offset,
         $lines, $headSha256, $headBytes, $tailSha256, $contentSha256, $firstSeenMs,
         $startOffset, $inputPath, $beganOffset)
       ON CONFLICT (id) DO UPDATE SET
         path = excluded.path, device = excluded.device, inode = excluded.inode,
         durable_offset = excluded.durable_offset, lines = excluded.lines,
         head_sha256 = excluded.head_sha256, head_bytes = excluded.head_bytes,
         tail_sha256 = excluded.tail_sha256, content_sha256 = excluded.content_sha256`,
    );
    return (generation, origin) =>
      put.run({
        ...generation,
        startOffset: origin?.startOffset ?? 0,
        inputPath: origin?.inputPath ?? generation.path,
        beganOffset: origin?.beganOffset ?? null,
        device: signed(generation.device),
        inode: signed(generation.inode),
      });
  }
}

/** Device and inode are unsigned 64 bit, which SQLite has not: the same bits, signed. */
function signed(id: number): bigint {
  return BigInt.asIntN(64, BigInt(id));
}

function unsigned(value: SQLOutputValue | undefined): number {
  return Number(BigInt.asUintN(64, BigInt(String(value))));
}

function fileOf(row: Row): StoredFile {
  return {
    id: String(row.id),
    kind: row.kind === "chunk" ? "chunk" : "part",
    stream: String(row.stream),
    hour: String(row.hour),
    path: String(row.path),
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    tsMinUs: Number(row.ts_min_us),
    tsMaxUs: Number(row.ts_max_us),
    runs: JSON.parse(String(row.runs)),
    sha256: textOf(row.sha256),
    createdMs: Number(row.created_ms),
  };
}

function originOf(row: Row): Origin {
  return {
    startOffset: Number(row.start_offset),
    beganOffset: row.began_offset === null ? null : Number(row.began_offset),
    inputPath: String(row.input_path),
  };
}

function generationOf(row: Row): Generation {
  return {
    id: String(row.id),
    stream: String(row.stream),
    path: String(row.path),
    device: unsigned(row.device),
    inode: unsigned(row.inode),
    offset: Number(row.durable_offset),
    lines: Number(row.lines),
    headSha256: textOf(row.head_sha256),
    headBytes: Number(row.head_bytes),
    tailSha256: textOf(row.tail_sha256),
    contentSha256: textOf(row.content_sha256),
    firstSeenMs: Number(row.first_seen_ms),
  };
}

function textOf(value: SQLOutputValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
