/** One query over a fleet beside one DuckDB with every row: values and types must be the same. */
import assert from "node:assert/strict";
import { schemaOf } from "../../../protocol/schema/streams.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import type { Planner } from "../../../queries/plan/planner.ts";
import { NOW } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import type { RandomQuery } from "./random_query.ts";

/** SQL of a whole number below `end` that depends on `i`. */
const spread = (salt: number, end: number) => `(hash(i, ${salt}) % ${end})::INTEGER`;

export const SAMPLE_LOGS = `
  SELECT TIMESTAMP '2026-11-22 17:00:00' + to_seconds(i * 20 + ${
  spread(1, 9)
}) AS ts, ts AS time_local,
    '10.0.0.' || ${spread(2, 5)} AS remote_addr,
    [NULL, 'anna', 'bob'][1 + ${spread(3, 3)}] AS remote_user,
    ['GET', 'POST', 'get'][1 + ${spread(4, 3)}] AS http_method,
    ['/a', '/ab', '/é"', ''][1 + ${spread(5, 4)}] AS request, 'HTTP/1.1' AS http_version,
    [200, 200, 304, 404, 500, NULL][1 + ${spread(6, 6)}]::INTEGER AS status,
    CASE WHEN ${spread(7, 4)} > 0 THEN ${spread(8, 1000)} END::BIGINT AS body_bytes_sent,
    NULL::VARCHAR AS http_referer, 'curl' AS http_user_agent,
    CASE WHEN ${spread(9, 5)} > 0 THEN (${spread(10, 24)}) / 8 END::DOUBLE AS request_time,
    'web-' || 1 + ${spread(11, 3)} AS host, 'eu-west-1' AS region, 'line ' || i AS line,
    encode(line) AS line_bytes
  FROM range(400) t(i)`;

const SAMPLE_REJECTS = `
  SELECT TIMESTAMP '2026-11-22 18:00:00' AS ts, 'logs' AS stream, 'web-' || 1 + i % 2 AS host,
    'eu-west-1' AS region, 'access.log' AS file, 'g' AS generation, i AS line_offset,
    ['no_format', 'bad_time'][1 + i % 2] AS reason, i * 3 AS length, '\\x00'::BLOB AS line
  FROM range(12) t(i)`;

/** Rows of the tables that there are. */
export const SAMPLES = Object.entries({ logs: SAMPLE_LOGS, rejects: SAMPLE_REJECTS })
  .map(([table, sql]) => ({ table, columns: schemaOf(table).logical, sql }));

/** Compares, and names the SQL in what goes wrong. Null: DuckDB itself refuses the SQL. */
export async function check(
  fleet: Fleet,
  planner: Planner,
  query: RandomQuery,
): Promise<Plan | null> {
  try {
    return await compare(fleet, planner, query);
  } catch (cause) {
    throw new Error(query.sql, { cause });
  }
}

async function compare(fleet: Fleet, planner: Planner, query: RandomQuery): Promise<Plan | null> {
  try {
    await fleet.askWhole(query.sql);
  } catch {
    return null; // the generator made up something that DuckDB itself refuses
  }
  const plan = await planner.plan({
    sql: query.sql,
    tables: fleet.known,
    broadcast: fleet.own,
    now: NOW,
    range: { since: null, until: null, implied: false },
    rowsMax: 100,
  });
  // A host has all rows of its name, which rows dealt at random do not have.
  if (plan.mode === "host_complete" && !fleet.hostsAreWhole) return plan;
  await fleet.askHosts(plan);
  const [expected, actual] = [
    await fleet.answer("whole", query.ordered),
    await fleet.answer("merge", query.ordered),
  ];
  const context = `${query.sql}\n${plan.mode}\n${
    plan.partials.map(({ sql }) => sql).join("\n")
  }\n${plan.mergeSql}`;
  assert.deepEqual(actual, expected, context);
  assert.deepEqual(plan.columns, expected.columns, context);
  return plan;
}
