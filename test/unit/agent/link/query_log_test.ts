/** What the link tells the query log. */
import assert from "node:assert/strict";
import type { AskedQuery, QueryOutcome } from "../../../../agent/query_log/query_log.ts";
import type { HostAnswerer } from "../../../../agent/store/answer.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { eventually } from "../../../harness/eventually.ts";
import { answerOneRow, fleet, SQL } from "./linked.ts";

Deno.test("of every query the log hears how it began and what came of it", async () => {
  const begun: AskedQuery[] = [];
  const ended: [string, QueryOutcome][] = [];
  const answer: HostAnswerer = ({ sql }, signal) => {
    if (sql === "bad") return Promise.reject(new LogvendError("bad_sql", "No such column"));
    if (sql === "slow") {
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    }
    return answerOneRow({} as never, signal);
  };
  await using here = await fleet(answer, {
    remember: (_id, _expiresAtMs, query) => {
      if (query !== undefined) begun.push(query);
    },
    endQuery: (id, outcome) => {
      ended.push([id, outcome]);
      throw new Error("No space left on device"); // of a log: the answer is out
    },
  });
  const { orchestrator } = here;
  const requests: string[] = [];
  for (const sql of [SQL, "bad", "slow"]) {
    const { request } = await orchestrator.ask(sql, { selector: "service=web-server" });
    requests.push(request);
    await orchestrator.ack(request);
    if (sql === "slow") orchestrator.command("cancel", { request });
    await orchestrator.answer(request);
  }
  await eventually(() => ended.length === 3);
  assert.deepEqual(
    begun.map(({ askedMs: _, ...query }) => query),
    [SQL, "bad", "slow"].map(
      (sql, i) => ({
        id: requests[i],
        operator: orchestrator.key.publicKey,
        selector: "service=web-server",
        sql,
      }),
    ),
  );
  assert.deepEqual(
    ended.map(([id, { state, error, rowsShipped, rowsScanned }]) => [
      requests.indexOf(id),
      state,
      error,
      rowsShipped,
      rowsScanned,
    ]),
    [
      [0, "complete", null, 1, 2],
      [1, "failed", "No such column", null, null],
      [2, "cancelled", "Cancelled", null, null],
    ],
  );
});
