/** Which stretches of time have got rows that windows have not counted yet, durable with the rows. */
import type { DatabaseSync } from "node:sqlite";
import { transaction } from "./transaction.ts";

/** In agent.db from format version 9 on: stretches; how far sinks have got, and windows in the past. */
export const WINDOWS_TABLES = `
  CREATE TABLE touched (
    seq INTEGER PRIMARY KEY, stream TEXT NOT NULL,
    from_us INTEGER NOT NULL, to_us INTEGER NOT NULL) STRICT;
  CREATE TABLE window_state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
`;

/** A stretch of event time, microseconds since 1970, both inclusive. */
export interface Touched {
  stream: string;
  fromUs: number;
  toUs: number;
}

/** The same with its place in the table. */
export interface KnownTouched extends Touched {
  seq: number;
}

/** In the transaction that commits the files with these rows; of `streams` only. */
export function addTouched(
  database: DatabaseSync,
  touched: readonly Touched[],
  streams: ReadonlySet<string>,
) {
  const insert = database.prepare(
    "INSERT INTO touched (stream, from_us, to_us) VALUES ($stream, $fromUs, $toUs)",
  );
  for (const { stream, fromUs, toUs } of touched) {
    if (streams.has(stream)) insert.run({ stream, fromUs, toUs });
  }
}

/** What agent.db says for windows and their sinks. */
export class WindowBook {
  constructor(private readonly database: DatabaseSync) {}

  /** In the order in which they were committed. */
  touched(): KnownTouched[] {
    return this.database.prepare("SELECT * FROM touched ORDER BY seq").all().map((row) => ({
      seq: Number(row.seq),
      stream: String(row.stream),
      fromUs: Number(row.from_us),
      toUs: Number(row.to_us),
    }));
  }

  /** One commit: stretches are counted, but for what is left of them. */
  settle(done: readonly KnownTouched[], left: readonly Touched[]): void {
    if (done.length === 0) return;
    transaction(this.database, () => {
      const remove = this.database.prepare("DELETE FROM touched WHERE seq = ?");
      for (const { seq } of done) remove.run(seq);
      const insert = this.database.prepare(
        "INSERT INTO touched (stream, from_us, to_us) VALUES ($stream, $fromUs, $toUs)",
      );
      for (const { stream, fromUs, toUs } of left) insert.run({ stream, fromUs, toUs });
    });
  }

  /** The last entry that a sink has taken; null: it is new, or agent.db was lost. */
  cursor(sink: string): number | null {
    return this.state(`cursor ${sink}`);
  }

  setCursor(sink: string, seq: number): void {
    this.setState(`cursor ${sink}`, seq);
  }

  /** Windows that began before, milliseconds, are not counted again: what they said is forgotten. */
  floorMs(): number {
    return this.state("floor") ?? 0;
  }

  raiseFloor(ms: number): void {
    if (ms > this.floorMs()) this.setState("floor", ms);
  }

  private state(key: string): number | null {
    const row = this.database.prepare("SELECT value FROM window_state WHERE key = ?").get(key);
    return row === undefined ? null : Number(row.value);
  }

  private setState(key: string, value: number) {
    this.database.prepare("INSERT OR REPLACE INTO window_state VALUES (?, ?)").run(key, value);
  }
}
