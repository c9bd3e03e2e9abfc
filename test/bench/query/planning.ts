/**
 * How long SQL that was never seen takes to plan, in a process that has planned some before: the
 * library's, and what a generator makes.
 */
import { LogvendError } from "../../../protocol/errors.ts";
import { Planner } from "../../../queries/plan/planner.ts";
import { filledSql } from "../../../queries/library/parameters.ts";
import { LIBRARY_NAMES, libraryQuery } from "../../../queries/library/library.ts";
import { accessTables } from "../../harness/tables.ts";
import { Dice, groupedQuery, rowsQuery } from "../../unit/queries/random_query.ts";
import { spread } from "../figures.ts";

const GENERATED = 200;
const WARM_UP = 50;
/** The library is small: of one round, p95 would be the slowest but one. */
const ROUNDS = 4;

export async function benchPlanning(): Promise<void> {
  await using planner = await Planner.open();
  const tables = accessTables("logs");
  const range = { since: null, until: null, implied: false };
  const timesOf = async (statements: readonly string[]) => {
    const times: number[] = [];
    for (const sql of statements) {
      const now = new Date(Date.now()).toISOString();
      const startedMs = performance.now();
      try {
        await planner.plan({ sql, tables, now, range, rowsMax: 100_000 });
      } catch (error) {
        if (error instanceof LogvendError && error.code === "bad_sql") continue; // a die's whim
        throw error;
      }
      times.push(performance.now() - startedMs);
    }
    return times;
  };
  const dice = new Dice(1);
  const library = LIBRARY_NAMES.map((name) => libraryQuery(name))
    .filter(({ parameters }) => parameters.every((one) => one.default !== null))
    .map((query) => filledSql(query, []));
  const generated = Array.from(
    { length: GENERATED },
    (_, i) => (i % 2 === 0 ? groupedQuery(dice) : rowsQuery(dice)).sql,
  );
  await timesOf(generated.slice(0, WARM_UP).map((sql) => `${sql} -- once`));
  const rounds = Array.from({ length: ROUNDS }, (_, i) => library.map((sql) => `${sql} -- ${i}`));
  console.log("planning, ms (asked: p95 15)");
  console.log(`  library    ${spread(await timesOf(rounds.flat()))}`);
  console.log(`  generated  ${spread(await timesOf(generated))}`);
}
