/** The hosts that an orchestrator has met, kept over restarts: offline ones can still be named. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { Presence } from "../../protocol/messages.ts";

export interface KnownHost {
  presence: Presence;
  /** When it was last heard; null when only its last will is known. */
  seenMs: number | null;
  /** Since when it is counted out; null: it is not. */
  retiredMs: number | null;
}

export class HostTable {
  constructor(private readonly database: DatabaseSync) {}

  /** Every host; a row that this version cannot read is left out until the host speaks again. */
  load(): KnownHost[] {
    const rows = this.database.prepare(
      "SELECT presence, seen_ms, retired_ms FROM hosts LEFT JOIN retired USING (host)",
    ).all();
    return rows.flatMap(({ presence, seen_ms, retired_ms }) => {
      const parsed = Presence.safeParse(JSON.parse(String(presence)));
      return parsed.success
        ? [{ presence: parsed.data, seenMs: numberOf(seen_ms), retiredMs: numberOf(retired_ms) }]
        : [];
    });
  }

  /** Writes hosts, all or none. */
  save(hosts: readonly KnownHost[]): void {
    const put = this.database.prepare(
      "INSERT OR REPLACE INTO hosts (host, presence, seen_ms) VALUES ($host, $presence, $seen_ms)",
    );
    const takeIn = this.database.prepare("DELETE FROM retired WHERE host = $host");
    const retire = this.database.prepare("INSERT INTO retired VALUES ($host, $retired_ms)");
    this.database.exec("BEGIN IMMEDIATE");
    try {
      for (const { presence, seenMs, retiredMs } of hosts) {
        const { host } = presence;
        put.run({ host, presence: JSON.stringify(presence), seen_ms: seenMs });
        takeIn.run({ host });
        if (retiredMs !== null) retire.run({ host, retired_ms: retiredMs });
      }
      this.database.exec("COMMIT");
    } catch (error) {
      this.database.exec("ROLLBACK");
      throw error;
    }
  }
}

function numberOf(value: SQLOutputValue | undefined): number | null {
  return value === null ? null : Number(value);
}
