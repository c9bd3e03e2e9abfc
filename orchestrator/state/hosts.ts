/** The hosts that an orchestrator has met, kept over restarts: offline ones can still be named. */
import type { DatabaseSync } from "node:sqlite";
import { Presence } from "../../protocol/wire/messages.ts";

export interface KnownHost {
  presence: Presence;
  /** When it was last heard; null when only its last will is known. */
  seenMs: number | null;
  /** Since when nobody expects it any more; null: it is expected. */
  retiredMs: number | null;
}

export class HostTable {
  constructor(private readonly database: DatabaseSync) {}

  /** Every host; a row that this version cannot read is left out until the host speaks again. */
  load(): KnownHost[] {
    const rows = this.database.prepare("SELECT presence, seen_ms, retired_ms FROM hosts").all();
    const number = (value: unknown) => value === null ? null : Number(value);
    return rows.flatMap(({ presence, seen_ms, retired_ms }) => {
      const parsed = Presence.safeParse(JSON.parse(String(presence)));
      return parsed.success
        ? [{ presence: parsed.data, seenMs: number(seen_ms), retiredMs: number(retired_ms) }]
        : [];
    });
  }

  /** Writes hosts, all or none. */
  save(hosts: readonly KnownHost[]): void {
    const put = this.database.prepare(
      `INSERT OR REPLACE INTO hosts (host, presence, seen_ms, retired_ms)
       VALUES ($host, $presence, $seen_ms, $retired_ms)`,
    );
    this.database.exec("BEGIN IMMEDIATE");
    try {
      for (const { presence, seenMs, retiredMs } of hosts) {
        const { host } = presence;
        const text = JSON.stringify(presence);
        put.run({ host, presence: text, seen_ms: seenMs, retired_ms: retiredMs });
      }
      this.database.exec("COMMIT");
    } catch (error) {
      this.database.exec("ROLLBACK");
      throw error;
    }
  }
}
