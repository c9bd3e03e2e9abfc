/** Answers one question as this host's part of the fleet's answer. */
import { LogvendError } from "../../protocol/errors.ts";
import type { AnswerTable, HostAnswer, HostQuery } from "../store/answer.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import { runQuestion } from "./prepare.ts";
import type { Finished, QueryParts } from "./prepare.ts";
import { resultFile } from "./worker_protocol.ts";
import type { Output } from "./worker_protocol.ts";

/**
 * Plans, runs and hands back the partial tables.
 * @throws {LogvendError} bad_sql, too_many_rows, unavailable, timeout, cancelled or internal
 */
export async function answerQuery(
  parts: QueryParts,
  query: HostQuery,
  signal: AbortSignal,
): Promise<HostAnswer> {
  const { limits, broadcast = [], ...question } = query;
  const until = AbortSignal.any([signal, AbortSignal.timeout(limits.timeout_ms)]);
  const asked = {
    ...question,
    broadcast: broadcast.map(({ name, columns }) => ({ name, columns })),
    rowsMax: limits.rows_max,
  };
  const output = ({ partials }: Plan): Output => ({
    kind: "partials",
    broadcast,
    partials: partials.map(({ table, sql }) => ({ table, sql })),
    caps: { rows_max: limits.rows_max, bytes_max: limits.bytes_max },
  });
  return hostAnswer(await runQuestion(parts, { asked, output }, until));
}

function hostAnswer({ result, coverage, resultFolder }: Finished): HostAnswer {
  if (result.kind !== "partials") {
    throw new LogvendError("internal", "The worker answered another question");
  }
  const tables = result.shipped.map((shipped, index): AnswerTable => {
    const { table, rows, bytes } = shipped;
    if (shipped.encoding === "parquet") {
      return { table, rows, bytes, encoding: "parquet", file: resultFile(resultFolder, index) };
    }
    return shipped;
  });
  return {
    tables,
    coverage,
    sqlMs: result.sql_ms,
    [Symbol.asyncDispose]: () => Deno.remove(resultFolder, { recursive: true }),
  };
}
