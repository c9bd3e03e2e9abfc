/** One question asked again and again, and what it takes. */
import { spread } from "../figures.ts";
import type { HttpAsker } from "./asker.ts";
import type { Observed, Observer } from "../../harness/observer.ts";

const WARM_UP = 10;
/** Between two queries, as between a person's: what is prepared ahead of the next one is ready. */
const PAUSE_MS = 150;

export interface Question {
  asker: HttpAsker;
  observer: Observer;
  /** SQL of a round: always the same, or never asked before. */
  sql: (round: number) => string;
  /** @default 100 */
  rounds?: number;
  /** What it is compared with: done between two rounds, as the machine is then for both. */
  beside?: () => Promise<void>;
}

/** The question with a condition that all rows meet, another each time: nothing is known from before. */
export function neverAsked(sql: string): (round: number) => string {
  return (round) => {
    const condition = `status > ${-1 - round}`;
    return sql.includes(" WHERE ")
      ? sql.replace(" WHERE ", ` WHERE ${condition} AND `)
      : sql.replace(" FROM logs", ` FROM logs WHERE ${condition}`);
  };
}

/** What one round took. */
export interface Round extends Observed {
  /** From signing to the last byte. */
  answerMs: number;
}

export async function ask(question: Question): Promise<Round[]> {
  const { asker, observer, sql, rounds = 100, beside } = question;
  const measured: Round[] = [];
  for (let round = 0; round < WARM_UP + rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const { id, elapsedMs } = await asker.ask(sql(round));
    const observed = observer.of(id);
    if (round < WARM_UP) continue;
    measured.push({ ...observed, answerMs: elapsedMs });
    await beside?.();
  }
  return measured;
}

/** The answer's time, the slowest host's, DuckDB's there, and what an answer takes beyond these. */
export function printRounds(name: string, rounds: readonly Round[]) {
  console.log(name);
  const print = (what: string, of: (round: Round) => number) =>
    console.log(`  ${what.padEnd(18)} ${spread(rounds.map(of))}`);
  print("answer", ({ answerMs }) => answerMs);
  print("host", ({ hostMs }) => hostMs);
  print("of it SQL", ({ sqlMs }) => sqlMs);
  print("beyond the host", ({ answerMs, hostMs }) => answerMs - hostMs);
  print("beyond the SQL", ({ answerMs, sqlMs }) => answerMs - sqlMs);
}
