/**
 * Two million rows in sealed chunks: what a host takes for its part of an answer, beside DuckDB on
 * the same files with as many threads, and beside `grep -c` on the log itself; and five hosts that
 * have them together.
 */
import { PRODUCT_NICE, TestFleet } from "../../harness/fleet.ts";
import { ACCESS } from "../../../protocol/schema/streams.ts";
import { tableSelect } from "../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../queries/duckdb/engine.ts";
import { accessTables } from "../../harness/tables.ts";
import { parquetFiles } from "../../unit/agent/store/scene.ts";
import { writeCorpus } from "../corpus.ts";
import { quantile } from "../figures.ts";
import { timed } from "../timed.ts";
import { HttpAsker } from "./asker.ts";
import { importInto } from "./imported.ts";
import { Observer } from "../../harness/observer.ts";
import { ask, neverAsked, printRounds } from "./rounds.ts";

const LINES = 2_000_000;
const ROUNDS = 20;
/** As many as hosts have for a query. */
const THREADS = 2;
/** A number, which more columns can have, and a name; a path; what nearly all lines have. */
const WORDS = [" 404 ", "Firefox", "/products/42", "GET"];

const GROUPS = "SELECT status, count(*) AS n FROM logs GROUP BY 1";
const QUESTIONS: Readonly<Record<string, string>> = {
  "GROUP BY status": GROUPS,
  "top paths":
    "SELECT split_part(request, '?', 1) AS path, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
  "averages by hour":
    "SELECT date_trunc('hour', ts) AS hour, avg(body_bytes_sent) AS bytes FROM logs GROUP BY 1",
};

export async function benchChunks(): Promise<void> {
  await benchOne();
  await benchFive();
}

async function benchOne() {
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu-west-1" },
    broker: "embedded",
    nice: PRODUCT_NICE,
  });
  const log = fleet.path("web-1", "corpus.log");
  await writeCorpus(log, LINES);
  await importInto(fleet, "web-1", log);
  await using direct = await directOn(fleet.path("web-1", "data", "stream=logs"));
  await using observer = await Observer.of(fleet.brokerUrl);
  const asker = await HttpAsker.of(fleet);
  console.log(`one host, ${LINES} rows in chunks, p50 of ${ROUNDS}, ms`);
  for (const [name, sql] of Object.entries(QUESTIONS)) {
    const directTimes: number[] = [];
    const beside = async () => void directTimes.push(await timeOf(() => direct.read(sql)));
    const rounds = await ask({ asker, observer, sql: neverAsked(sql), rounds: ROUNDS, beside });
    const hostMs = quantile(rounds.map(({ hostMs }) => hostMs), 0.5);
    const sqlMs = quantile(rounds.map(({ sqlMs }) => sqlMs), 0.5);
    const duckMs = quantile(directTimes, 0.5);
    const allowed = (1.1 * duckMs + 15).toFixed(1);
    console.log(
      `  ${name.padEnd(18)} host ${hostMs.toFixed(1)}, of it SQL ${sqlMs.toFixed(1)}, DuckDB ${
        duckMs.toFixed(1)
      } ` +
        `(asked: 1.1 x + 15 = ${allowed})`,
    );
  }
  for (const word of WORDS) {
    const like = `SELECT count(*) AS n FROM logs WHERE line LIKE '%${word}%'`;
    const grepTimes: number[] = [];
    const beside = async () => {
      grepTimes.push((await timed(["grep", "-c", "--", word, log])).wall * 1_000);
    };
    const rounds = await ask({
      asker,
      observer,
      sql: neverAsked(like),
      rounds: ROUNDS / 2,
      beside,
    });
    const likeMs = quantile(rounds.map(({ answerMs }) => answerMs), 0.5);
    const grepMs = quantile(grepTimes, 0.5);
    console.log(
      `  line LIKE '%${word}%': ${likeMs.toFixed(0)}, grep -c on the log ${grepMs.toFixed(0)}: ` +
        `${(likeMs / grepMs).toFixed(2)} x (asked: 1)`,
    );
  }
}

async function benchFive() {
  const names = Array.from({ length: 5 }, (_, i) => `web-${i + 1}`);
  const hosts = Object.fromEntries(names.map((name) => [name, "eu-west-1"]));
  await using fleet = await TestFleet.start({ hosts, broker: "mosquitto", nice: PRODUCT_NICE });
  const log = fleet.path("web-1", "corpus.log");
  await writeCorpus(log, LINES / names.length);
  for (const name of names) await importInto(fleet, name, log);
  await using observer = await Observer.of(fleet.brokerUrl);
  const asker = await HttpAsker.of(fleet);
  console.log(
    `five hosts on these cores, ${LINES} rows together (asked: beyond the slowest host p50 30), ms`,
  );
  const rounds = await ask({ asker, observer, sql: neverAsked(GROUPS), rounds: ROUNDS });
  printRounds("GROUP BY status", rounds);
  const bytes = quantile(rounds.map(({ bytes }) => bytes), 0.5) / names.length;
  console.log(`  results at the broker: ${bytes} B a host, for ${await groups(asker)} groups`);
}

async function groups(asker: HttpAsker): Promise<number> {
  return (await asker.ask(GROUPS)).rows.length;
}

async function directOn(folder: string): Promise<Engine> {
  const engine = await Engine.open({ threads: THREADS, memoryBytes: 512 * 2 ** 20 });
  const [{ columns } = { columns: [] }] = accessTables("logs");
  const all = { region: "r", since: null, until: null, columns };
  const files = await parquetFiles(folder);
  await engine.run(`CREATE VIEW logs AS ${tableSelect(ACCESS, { files, ...all })}`);
  return engine;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
