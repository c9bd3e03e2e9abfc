/**
 * What the way through the fleet adds to a query: signing, HTTP, planning at both ends, MQTT, the
 * snapshot, the worker, the merge. Own time is what DuckDB takes on the slowest host, as hosts
 * report it on the wire; the rest of the answer's time is overhead.
 */
import { eventually } from "../../harness/eventually.ts";
import { PRODUCT_NICE, TestFleet } from "../../harness/fleet.ts";
import { combinedLine, manyLines } from "../../harness/lines.ts";
import { HttpAsker } from "./asker.ts";
import { Observer } from "../../harness/observer.ts";
import { ask, printRounds } from "./rounds.ts";

const LINES_PER_HOST = 10_000;

/** SQL by name; `round` makes SQL that was never asked before, which both sides must plan anew. */
const QUERIES: Readonly<Record<string, (round: number) => string>> = {
  "GROUP BY status": () => "SELECT status, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC",
  "count(*)": () => "SELECT count(*) AS n FROM logs",
  "top 10": () => "SELECT ts, request FROM logs ORDER BY ts DESC LIMIT 10",
  "GROUP BY status, new SQL every time": (round) =>
    `SELECT status, count(*) AS n FROM logs WHERE body_bytes_sent >= ${round} GROUP BY 1`,
};

export async function benchFleets(): Promise<void> {
  await benchHosts({ "web-1": "eu-west-1" });
  console.log("All hosts of a larger fleet share this machine's cores here:");
  await benchHosts({ "web-1": "eu-west-1", "web-2": "eu-west-1", "web-3": "us-east-1" });
}

async function benchHosts(hosts: Readonly<Record<string, string>>) {
  await using fleet = await TestFleet.start({ hosts, broker: "embedded", nice: PRODUCT_NICE });
  for (const host of Object.keys(hosts)) {
    await Deno.writeTextFile(fleet.logFile(host), manyLines(combinedLine, 0, LINES_PER_HOST));
  }
  const total = Object.keys(hosts).length * LINES_PER_HOST;
  const sql = "SELECT count(*) AS n FROM logs";
  await eventually(async () => (await fleet.query(sql)).answer.rows[0]?.n === total);
  await using observer = await Observer.of(fleet.brokerUrl);
  const asker = await HttpAsker.of(fleet);
  console.log(`hosts ${Object.keys(hosts).length}, rows ${total}, ms`);
  for (const [name, sql] of Object.entries(QUERIES)) {
    printRounds(name, await ask({ asker, observer, sql }));
  }
}
