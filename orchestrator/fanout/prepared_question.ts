/** A question that was taken: checked against the fleet, being planned, and whom it is for. */
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import type { QueryClaims } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { Table } from "../../protocol/wire/messages.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Planner } from "../../queries/plan/planner.ts";
import { within } from "../../queries/plan/reach.ts";
import type { ArchivedHosts } from "../fleet/archived_hosts.ts";
import type { ChunkCatalog, Read } from "../fleet/chunk_catalog.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Planned } from "./archive/kept/kept_question.ts";
import { Strangers } from "./archive/strangers.ts";
import { chooseAudience, planVersion } from "./audience.ts";
import type { Audience } from "./audience.ts";
import { checkNames } from "./own_tables.ts";
import { tooManyRows } from "./too_many_rows.ts";
import { NO_HOST_YET } from "./unanswered.ts";

/** A question of a trusted operator. */
export interface CheckedQuestion {
  sql: string;
  /** Signed claims: hosts check them again. */
  token: string;
  claims: QueryClaims;
  /** The public key that signed them. */
  operator: string;
  /** Tables of the asker's own; `broadcast` has them packed, as they were signed. */
  tables: BroadcastTable[];
  broadcast?: string | undefined;
}

/** A question that hosts can be asked, though its merge may not be planned yet. */
export interface PreparedQuestion {
  question: CheckedQuestion;
  claims: QueryClaims;
  planning: Promise<Plan>;
  audience: Audience;
  /** That the SQL names. */
  tables: Table[];
  /** Of the plan: the newest that all of them know. */
  version: number;
  /** All that it was planned with. */
  planned: Planned;
  read: Read;
  /** Whom an archive may have that the fleet does not know; null: such hosts are found otherwise, or not meant. */
  strangers: Strangers | null;
}

export interface PreparingParts {
  broker: Pick<BrokerConnection, "requireConnected">;
  fleet: Fleet;
  catalog: ChunkCatalog;
  archivedHosts: ArchivedHosts;
  planner: Pick<Planner, "start">;
  now: () => number;
}

/**
 * @param before how it was planned when a part of its answer was made; null: there is none
 * @throws {LogvendError} bad_sql, usage or unavailable
 */
export async function prepareQuestion(
  { broker, fleet, catalog, archivedHosts, planner, now }: PreparingParts,
  question: CheckedQuestion,
  before: Planned | null = null,
): Promise<PreparedQuestion> {
  const { sql, claims, tables: own } = question;
  broker.requireConnected(); // without it the fleet is not as we know it
  if (fleet.list().length === 0) {
    throw new LogvendError("unavailable", NO_HOST_YET);
  }
  const known = before?.tables ?? fleet.tables();
  checkNames(own, known);
  const { selector, source = "live" } = claims;
  // Agents read archived chunks of others than are selected.
  const version = before?.version ?? planVersion(fleet, source === "live" ? selector : "");
  const { tables, readsCatalog, range, reach, plan } = await planner.start({
    sql,
    tables: known,
    broadcast: own.map(({ name, columns }) => ({ name, columns })),
    now: claims.now,
    range: claims.range,
    rowsMax: claims.limits.rows_max,
    version,
  });
  const read = { tables, ...within(range, reach) };
  // The catalog is that of the whole fleet, whoever is selected: as SELECT * shows it.
  const asksNobody = readsCatalog || tables.length === 0;
  const audience = asksNobody || source === "archive"
    ? { asked: [], missing: [], pruned: [] }
    : chooseAudience({
      fleet,
      catalog,
      selector,
      read,
      reach,
      needs: { version },
      nowMs: now(),
    });
  const named = known.filter(({ name }) => tables.includes(name));
  const planned = { tables: known, version };
  const strangers = asksNobody || source !== "auto"
    ? null
    : new Strangers({ fleet, archivedHosts }, { selector, read, reach });
  const prepared = { question, claims, planning: plan, audience, tables: named };
  return { ...prepared, version, planned, read, strangers };
}

/** The error of an answer that is longer than may be sent. @param reason why the query ships rows */
export function tooManyBytes(
  { claims, audience }: PreparedQuestion,
  reason: string | null,
): LogvendError {
  return tooManyRows({
    hostCount: audience.asked.length,
    heard: [],
    limits: claims.limits,
    reason,
    rangeMs: null,
  });
}
