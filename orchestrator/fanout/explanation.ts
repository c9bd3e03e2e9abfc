/** What would become of a question: its plan, whom it is for, and whether those hosts would run it. */
import type { Plan } from "../../queries/plan/plan.ts";
import type { Host } from "../fleet/fleet.ts";
import type { ArchiveList } from "./archive/archive_work.ts";
import type { ArchivePrices } from "./archive/archive_cost.ts";
import type { Audience } from "./audience.ts";
import { Collector } from "./collector.ts";
import type { CollectorOptions, Outcome } from "./collector.ts";
import type { Refusal, Unchecked } from "./coverage.ts";
import type { Reading } from "./reading.ts";

/** What would be done, without doing it. */
export interface Explanation extends Verdicts {
  queryId: string;
  plan: Plan;
  audience: Audience;
  reading: Reading;
  /** What would be read in the archive; null: nothing. */
  archive: ArchiveList | null;
  prices: ArchivePrices;
}

/** What hosts say before they are asked, in the order of their names. */
export interface Verdicts {
  refused: Refusal[];
  unchecked: Unchecked[];
}

/** Of agents that can be asked whether they would run a query. */
const EXPLAIN_COMMAND = "explain";

/**
 * Times as long as they may take to acknowledge: hosts plan it first. One whose workers are all busy
 * for longer is not waited for.
 */
const VERDICT_ACKS = 3;

export interface VerdictRequest extends Omit<CollectorOptions, "hosts"> {
  hosts: readonly Host[];
  id: string;
  /** Collectors by request: what hosts say goes there. */
  running: Map<string, Collector>;
  cancel: (host: string) => void;
}

/** Asks each host whether it would run a query. @throws {LogvendError} unavailable */
export async function askVerdicts(request: VerdictRequest): Promise<Verdicts> {
  const { hosts, id, running, cancel, timeoutMs, ...rest } = request;
  const isNew = ({ presence }: Host) => presence.commands.includes(EXPLAIN_COMMAND);
  const verdicts: Verdicts = { refused: [], unchecked: [] };
  for (const { presence: { host, version } } of hosts.filter((one) => !isNew(one))) {
    verdicts.unchecked.push({ host, reason: `agent ${version} cannot explain: upgrade it` });
  }
  using collector = new Collector({
    ...rest,
    hosts: hosts.filter(isNew).map(({ presence }) => presence.host),
    timeoutMs: Math.min(timeoutMs, VERDICT_ACKS * rest.ackTimeoutMs),
  });
  running.set(id, collector);
  try {
    collector.ask();
    for await (const batch of collector.batches()) batch.forEach((one) => take(verdicts, one));
  } finally {
    running.delete(id);
    collector.unfinished().forEach(cancel);
  }
  return { refused: verdicts.refused.sort(byHost), unchecked: verdicts.unchecked.sort(byHost) };
}

function take({ refused, unchecked }: Verdicts, outcome: Outcome) {
  if (outcome.kind === "answered") return;
  const { host, why, reason, error } = outcome;
  if (why !== "refused") unchecked.push({ host, reason });
  else refused.push({ host, reason, ...(error?.rule === undefined ? {} : { rule: error.rule }) });
}

function byHost(a: { host: string }, b: { host: string }): number {
  return a.host < b.host ? -1 : a.host > b.host ? 1 : 0;
}
