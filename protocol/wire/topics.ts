/**
 * MQTT topics under one prefix. At most 7 slashes, so that AWS IoT Core takes them.
 *
 *   {prefix}/a/{host}/cmd                              orchestrator -> agent
 *   {prefix}/a/{host}/ack                              agent -> orchestrators: taken or refused
 *   {prefix}/a/{host}/state                            agent, retained: presence
 *   {prefix}/a/{host}/tables                           agent, retained: its tables and their columns
 *   {prefix}/a/{host}/holdings                         agent, retained: what it holds (holdings.ts)
 *   {prefix}/a/{host}/day/{orchestrator}               agent -> one orchestrator: a day of that
 *   {prefix}/a/{host}/erased/{orchestrator}            agent -> one orchestrator: how an erasure goes
 *   {prefix}/a/{host}/archived/{orchestrator}          agent -> one orchestrator: hosts of its archive
 *   {prefix}/a/{host}/res/{orchestrator}/{request}     agent -> one orchestrator: results
 *   {prefix}/a/{host}/tail/{orchestrator}/{request}    agent -> one orchestrator: lines as they come
 */

export const DEFAULT_PREFIX = "logvend";

/** Topics of one agent. */
export function agentTopics(prefix: string, host: string) {
  const base = `${prefix}/a/${host}`;
  return {
    command: `${base}/cmd`,
    ack: `${base}/ack`,
    state: `${base}/state`,
    tables: `${base}/tables`,
    holdings: `${base}/holdings`,
    day: (orchestrator: string) => `${base}/day/${orchestrator}`,
    erased: (orchestrator: string) => `${base}/erased/${orchestrator}`,
    archived: (orchestrator: string) => `${base}/archived/${orchestrator}`,
    result: (orchestrator: string, request: string) => `${base}/res/${orchestrator}/${request}`,
    tail: (orchestrator: string, request: string) => `${base}/tail/${orchestrator}/${request}`,
  };
}

/** What one orchestrator subscribes to. */
export function orchestratorTopics(prefix: string, orchestrator: string) {
  return {
    acks: `${prefix}/a/+/ack`,
    states: `${prefix}/a/+/state`,
    tables: `${prefix}/a/+/tables`,
    holdings: `${prefix}/a/+/holdings`,
    days: `${prefix}/a/+/day/${orchestrator}`,
    erased: `${prefix}/a/+/erased/${orchestrator}`,
    archived: `${prefix}/a/+/archived/${orchestrator}`,
    results: `${prefix}/a/+/res/${orchestrator}/+`,
    tails: `${prefix}/a/+/tail/${orchestrator}/+`,
  };
}

const KINDS = ["ack", "state", "tables", "holdings"] as const;

/** For one orchestrator. */
const OWN_KINDS = ["day", "erased", "archived"] as const;

/** A received topic, taken apart. */
export type ReceivedTopic =
  | { kind: (typeof KINDS)[number]; host: string }
  | { kind: (typeof OWN_KINDS)[number]; host: string; orchestrator: string }
  | { kind: "result" | "tail"; host: string; orchestrator: string; request: string };

/** Takes a topic apart; null when it is none of ours. */
export function parseTopic(prefix: string, topic: string): ReceivedTopic | null {
  if (!topic.startsWith(`${prefix}/a/`)) return null;
  const [host, kind, orchestrator, request, more] = topic.slice(prefix.length + 3).split("/");
  if (!host || more !== undefined) return null;
  const ofHost = KINDS.find((known) => known === kind);
  if (orchestrator === undefined && ofHost !== undefined) return { kind: ofHost, host };
  const ofOne = OWN_KINDS.find((known) => known === kind);
  if (ofOne !== undefined && orchestrator && request === undefined) {
    return { kind: ofOne, host, orchestrator };
  }
  if (kind === "res" && orchestrator && request) {
    return { kind: "result", host, orchestrator, request };
  }
  if (kind === "tail" && orchestrator && request) return { kind, host, orchestrator, request };
  return null;
}
