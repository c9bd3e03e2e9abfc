/**
 * MQTT topics under one prefix. At most 7 slashes, so that AWS IoT Core takes them.
 *
 *   {prefix}/a/{host}/cmd                              orchestrator -> agent
 *   {prefix}/a/{host}/ack                              agent -> orchestrators: taken or refused
 *   {prefix}/a/{host}/state                            agent, retained: presence
 *   {prefix}/a/{host}/tables                           agent, retained: its tables and their columns
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
    results: `${prefix}/a/+/res/${orchestrator}/+`,
    tails: `${prefix}/a/+/tail/${orchestrator}/+`,
  };
}

/** A received topic, taken apart. */
export type ReceivedTopic =
  | { kind: "ack" | "state" | "tables"; host: string }
  | { kind: "result" | "tail"; host: string; orchestrator: string; request: string };

/** Takes a topic apart; null when it is none of ours. */
export function parseTopic(prefix: string, topic: string): ReceivedTopic | null {
  if (!topic.startsWith(`${prefix}/a/`)) return null;
  const [host, kind, orchestrator, request, more] = topic.slice(prefix.length + 3).split("/");
  if (!host || more !== undefined) return null;
  if (orchestrator === undefined && (kind === "ack" || kind === "state" || kind === "tables")) {
    return { kind, host };
  }
  if (kind === "res" && orchestrator && request) {
    return { kind: "result", host, orchestrator, request };
  }
  if (kind === "tail" && orchestrator && request) return { kind, host, orchestrator, request };
  return null;
}
