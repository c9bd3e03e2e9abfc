/** Erasures that operators have signed, and how they go on each host: kept until every host is done. */
import type { DatabaseSync } from "node:sqlite";
import { HostErasure } from "../../protocol/wire/messages.ts";
import { ErasureRecord } from "../../protocol/signing/erasure.ts";

/** The tables, in orchestrator.db from schema version 3 on. Nothing of them is ever forgotten. */
export const ERASURES_TABLES = `
  CREATE TABLE IF NOT EXISTS erasures (
    id TEXT PRIMARY KEY, issued_ms INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS erasure_hosts (
    id TEXT NOT NULL, host TEXT NOT NULL, state TEXT NOT NULL, heard_ms INTEGER NOT NULL,
    PRIMARY KEY (id, host)) STRICT, WITHOUT ROWID;
`;

export class ErasureTable {
  constructor(private readonly database: DatabaseSync) {}

  /** Every one, the oldest first. */
  load(): ErasureRecord[] {
    return this.database.prepare("SELECT record FROM erasures ORDER BY issued_ms, id").all()
      .map(({ record }) => ErasureRecord.parse(JSON.parse(String(record))));
  }

  /** Durable when it returns: whoever has asked for it believes that hosts will hear of it. */
  add(id: string, issuedMs: number, record: ErasureRecord): void {
    this.database.exec("PRAGMA synchronous = FULL");
    try {
      this.database.prepare("INSERT OR IGNORE INTO erasures VALUES (?, ?, ?)")
        .run(id, issuedMs, JSON.stringify(record));
    } finally {
      this.database.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** What every host has said last of it. */
  hosts(id: string): Map<string, { state: HostErasure; heardMs: number }> {
    const rows = this.database.prepare("SELECT * FROM erasure_hosts WHERE id = ?").all(id);
    return new Map(rows.map((row) => [
      String(row.host),
      { state: HostErasure.parse(JSON.parse(String(row.state))), heardMs: Number(row.heard_ms) },
    ]));
  }

  /** Writes what a host has said. */
  heard(host: string, state: HostErasure, nowMs: number): void {
    this.database.prepare("INSERT OR REPLACE INTO erasure_hosts VALUES (?, ?, ?, ?)")
      .run(state.id, host, JSON.stringify(state), nowMs);
  }
}
