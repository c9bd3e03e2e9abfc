/** A linked agent, its broker and an orchestrator that asks it, for tests of the link. */
import { Link } from "../../../../agent/link/link.ts";
import type { LinkOptions } from "../../../../agent/link/link.ts";
import type { HostAnswer, HostAnswerer } from "../../../../agent/store/answer.ts";
import { accessTables } from "../../../harness/tables.ts";
import { eventually } from "../../../harness/eventually.ts";
import { fixedHoldings, Orchestrator, startBroker, STATS } from "./fleet.ts";

export const HOST = "web-1";
export const SQL = "SELECT count(*) FROM logs";
export const COVERAGE = {
  chunks: 1,
  rows_scanned: 2,
  bytes_read: 3,
  rejects: 4,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 5,
};

export function answerOf(tables: HostAnswer["tables"]): HostAnswer {
  return {
    tables,
    coverage: COVERAGE,
    sqlMs: 1,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

export const ONE_ROW: HostAnswer["tables"] = [{
  table: "partial",
  rows: 1,
  bytes: 2,
  encoding: "text",
  columns: [{ name: "requests", type: "BIGINT" }],
  values: [["42"]],
}];

export const answerOneRow: HostAnswerer = () => Promise.resolve(answerOf(ONE_ROW));

export interface Fleet extends AsyncDisposable {
  orchestrator: Orchestrator;
  link: Link;
  /** SQL texts that were run. */
  runs: string[];
}

/** A broker, an orchestrator and a linked agent that trusts its key. */
export async function fleet(
  answer = answerOneRow,
  different: Partial<LinkOptions> = {},
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await startBroker());
  const orchestrator = stack.use(await Orchestrator.connect(broker.url, HOST));
  const runs: string[] = [];
  const link = stack.use(
    new Link(linkOptions(broker.url, {
      trust: [orchestrator.key.publicKey],
      answer: (query, signal) => {
        runs.push(query.sql);
        return answer(query, signal);
      },
      ...different,
    })),
  );
  await eventually(() => orchestrator.presences.length > 0);
  const owned = stack.move();
  return { orchestrator, link, runs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export function linkOptions(url: string, different: Partial<LinkOptions>): LinkOptions {
  const seen = new Set<string>();
  return {
    url,
    topicPrefix: "logvend",
    host: HOST,
    region: "eu-west-1",
    labels: { service: "web-server" },
    version: "0.1.0",
    streams: ["logs"],
    tables: () => accessTables("logs"),
    trust: [],
    answer: answerOneRow,
    openLive: () => Promise.reject(new Error("Nobody tails here")),
    erase: () => Promise.reject(new Error("Nobody erases here")),
    isKnown: (id) => seen.has(id),
    remember: (id) => {
      seen.add(id);
    },
    endQuery: () => {},
    holdings: fixedHoldings(),
    isRead: () => true,
    stats: () => STATS,
    ...different,
  };
}
