/**
 * What the way through the fleet adds to a query: signing, HTTP, planning at both ends, MQTT, the
 * snapshot, the worker, the merge. Own time is what DuckDB takes on the slowest host, as hosts
 * report it on the wire; the rest of the answer's time is overhead.
 */
import { connectAsync } from "mqtt";
import { open, parseBody } from "../../protocol/envelope.ts";
import { ResultMessage } from "../../protocol/messages.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine, manyLines } from "../harness/lines.ts";
import { HttpAsker } from "./asker.ts";
import { spread } from "./figures.ts";

const LINES_PER_HOST = 10_000;
const WARM_UP = 10;
const ROUNDS = 100;
/** Between two queries, as between a person's: what is prepared ahead of the next one is ready. */
const PAUSE_MS = 150;

/** SQL by name; `round` makes SQL that was never asked before, which both sides must plan anew. */
const QUERIES: Readonly<Record<string, (round: number) => string>> = {
  "GROUP BY status": () => "SELECT status, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC",
  "count(*)": () => "SELECT count(*) AS n FROM logs",
  "top 10": () => "SELECT ts, request FROM logs ORDER BY ts DESC LIMIT 10",
  "GROUP BY status, new SQL every time": (round) =>
    `SELECT status, count(*) AS n FROM logs WHERE body_bytes_sent >= ${round} GROUP BY 1`,
};

export async function benchQuery(): Promise<void> {
  await benchHosts({ "web-1": "eu-west-1" });
  console.log("All hosts of a larger fleet share this machine's cores here:");
  await benchHosts({ "web-1": "eu-west-1", "web-2": "eu-west-1", "web-3": "us-east-1" });
}

async function benchHosts(hosts: Readonly<Record<string, string>>) {
  await using fleet = await TestFleet.start({ hosts, broker: "embedded" });
  for (const host of Object.keys(hosts)) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, LINES_PER_HOST));
  }
  const total = Object.keys(hosts).length * LINES_PER_HOST;
  const sql = "SELECT count(*) AS n FROM logs";
  await eventually(async () => (await fleet.query(sql)).answer.rows[0]?.n === total);
  const observer = await connectAsync(fleet.brokerUrl);
  const ownMs = new Map<string, number>();
  observer.on("message", (_topic, payload) => {
    const { request, end } = parseBody(ResultMessage, open(payload).body, "result");
    if (end?.ok) ownMs.set(request, Math.max(end.sql_ms, ownMs.get(request) ?? 0));
  });
  await observer.subscribeAsync("logvend/a/+/res/+/+");
  console.log(`hosts ${Object.keys(hosts).length}, rows ${total}, ms over ${ROUNDS} rounds`);
  const asker = await HttpAsker.of(fleet);
  for (const [name, sql] of Object.entries(QUERIES)) {
    await measure({ asker, name, sql, ownMs });
  }
  await observer.endAsync();
}

interface Measured {
  asker: HttpAsker;
  name: string;
  sql: (round: number) => string;
  /** The slowest host's time inside DuckDB, by request id. */
  ownMs: Map<string, number>;
}

async function measure({ asker, name, sql, ownMs }: Measured) {
  const totals: number[] = [];
  const own: number[] = [];
  const overhead: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const { id, elapsedMs } = await asker.ask(sql(round));
    const hostMs = ownMs.get(id);
    if (hostMs === undefined) throw new Error("No host reported its time");
    if (round < WARM_UP) continue;
    totals.push(elapsedMs);
    own.push(hostMs);
    overhead.push(elapsedMs - hostMs);
  }
  console.log(`${name}\n  answer    ${spread(totals)}`);
  console.log(`  own       ${spread(own)}\n  overhead  ${spread(overhead)}`);
}
