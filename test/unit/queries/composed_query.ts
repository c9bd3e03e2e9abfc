/** Makes up SELECTs over SELECTs: groups and rows as tables, in WITH, side by side, as conditions. */
import { groupedQuery, rowsQuery } from "./random_query.ts";
import type { Dice, RandomQuery } from "./random_query.ts";

/** What order leaves open is not asked for. */
export function composedQuery(dice: Dice): RandomQuery {
  const inner = () => (dice.chance(0.75) ? groupedQuery(dice) : rowsQuery(dice)).sql;
  const first = inner();
  const condition = dice.pick(["status > 300", "http_method = 'GET'", "request_time IS NULL"]);
  const limit = `LIMIT ${dice.integer(6)} OFFSET ${dice.integer(3)}`;
  const unordered = (sql: string) => ({ sql, ordered: false });
  const ordered = (sql: string) => ({ sql, ordered: true });
  return dice.pick([
    () => unordered(`SELECT * FROM (${first})`),
    () => unordered(`SELECT count(*) FROM (${first})`),
    () => unordered(`SELECT DISTINCT * FROM (${first})`),
    () => unordered(`SELECT min(COLUMNS(*)), max(COLUMNS(*)) FROM (${first}) t`),
    () => ordered(`SELECT * FROM (${first}) ORDER BY ALL ${limit}`),
    () => unordered(`WITH t AS (${first}) SELECT * FROM t UNION ALL SELECT * FROM t`),
    () => unordered(`WITH t AS (${first}), u AS (SELECT * FROM t) SELECT count(*) FROM u, t`),
    () =>
      unordered(`SELECT a.n, b.n FROM (SELECT count(*) AS n FROM (${first})) a,
      (SELECT count(*) AS n FROM (${inner()})) b`),
    () => unordered(`SELECT count(*), (SELECT count(*) FROM (${first})) FROM logs`),
    () =>
      unordered(`SELECT host, count(*) AS n FROM logs
      WHERE ${condition} AND EXISTS (${first}) GROUP BY host`),
    () =>
      unordered(`SELECT status, count(*) FROM (SELECT status, host FROM logs
      WHERE ${condition} UNION ALL SELECT length, host FROM rejects) GROUP BY 1`),
    () => unordered(`(${first}) INTERSECT (${first})`),
    () =>
      ordered(`SELECT row_number() OVER (ORDER BY t) AS n, t IS NULL FROM (${first}) t
      ORDER BY n ${limit}`),
    () =>
      unordered(`SELECT l.host, count(*) AS n, max(t.n) FROM logs l JOIN (SELECT host, count(*) AS n
      FROM logs WHERE ${condition} GROUP BY 1) t USING (host) WHERE l.${condition} GROUP BY 1`),
    () =>
      ordered(`SELECT h, m, count(*) AS c FROM (SELECT host AS h, max(status) AS m, http_method
      FROM logs WHERE ${condition} GROUP BY ALL) GROUP BY ALL ORDER BY ALL ${limit}`),
    () =>
      ordered(`SELECT g AS status, coalesce(n, 0) AS n FROM range(0, 6) r(g) LEFT JOIN
      (SELECT status // 100 AS k, count(*) AS n FROM logs WHERE ${condition} GROUP BY 1) ON k = g
      ORDER BY g`),
  ])();
}
