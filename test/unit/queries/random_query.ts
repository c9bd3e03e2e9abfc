/** Makes up SELECTs over logs and rejects whose answers do not depend on the order of rows. */

/** Seeded: the same seed makes the same queries. */
export class Dice {
  constructor(private state: number) {}

  /** From 0 to 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  integer(max: number): number {
    return Math.floor(this.next() * (max + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[this.integer(from.length - 1)] as T; // the lists are never empty
  }

  some<T>(from: readonly T[], max: number): T[] {
    const rest = [...from];
    return Array.from(
      { length: Math.min(1 + this.integer(max - 1), from.length) },
      () => rest.splice(this.integer(rest.length - 1), 1)[0] as T,
    );
  }
}

export interface RandomQuery {
  sql: string;
  /** ORDER BY leaves no ties: the order of rows is part of the answer. */
  ordered: boolean;
}

const KEYS = [
  "status",
  "host",
  "http_method",
  "remote_user",
  "status // 100",
  "date_trunc('hour', ts)",
  "request_time > 1",
  "body_bytes_sent IS NULL",
  "lower(http_method)",
  "upper(host) || '!'",
  "CASE WHEN status < 300 THEN 'good' WHEN status < 500 THEN NULL ELSE 'bad' END",
  "http_referer",
  "[status, 1]",
  "{'m': http_method, 's': status // 100}",
  "request_time",
  "'all'",
  "status::DECIMAL(10, 2)",
  "ts::DATE",
];

const NUMBERS = [
  "status",
  "body_bytes_sent",
  "request_time",
  "status::SMALLINT",
  "status / 4",
  "status::DECIMAL(8, 2) / 8",
  "body_bytes_sent::HUGEINT",
  "body_bytes_sent::UBIGINT",
  "NULL::INTEGER",
  "length(http_referer)",
  "(status > 300)::INTEGER",
  "1",
];

const VALUES = [
  ...NUMBERS,
  "ts",
  "http_method",
  "http_referer",
  "remote_user",
  "line_bytes",
  "ts::DATE",
];

const CONDITIONS = [
  "status >= 300",
  "status = 404",
  "http_method <> 'GET'",
  "remote_user IS NULL",
  "body_bytes_sent BETWEEN 10 AND 500",
  "request_time > 0.5 OR status = 200",
  "ts < now() - INTERVAL 30 MINUTE",
  "ts >= '2026-11-22 18:00:00'",
  "host IN ('web-1', 'web-3')",
  "request LIKE '/a%'",
  "logs.status % 2 = 0",
  "false",
  "http_referer IS NOT NULL",
  "1e-1 + 2e-1 <> 3e-1",
];

const SUBQUERY_CONDITIONS = [
  "status IN (SELECT max(status) FROM logs)",
  "EXISTS (SELECT 1 FROM rejects r WHERE r.host = logs.host)",
  "body_bytes_sent > (SELECT avg(body_bytes_sent) FROM logs WHERE status < 400)",
];

type Pick = () => string;

/** Those that need more of a host than one row a group. */
const VALUE_AGGREGATES: readonly ((number: Pick, value: Pick) => string)[] = [
  (_, value) => `count(DISTINCT ${value()})`,
  (number) => `sum(DISTINCT ${number()})`,
  (number) => `avg(DISTINCT ${number()})`,
  (number) => `median(${number()})`,
  () => "median(http_method)",
  (number) => `median(DISTINCT ${number()})`,
  (number) => `quantile_cont(${number()}, 0.9)`,
  (number) => `quantile_cont(${number()}, [0.25, 0.5, 1])`,
  (number) => `percentile_cont(0.55) WITHIN GROUP (ORDER BY ${number()})`,
  (_, value) => `quantile_disc(${value()}, 0.3)`,
  () => "quantile(request_time, [0, 0.95])",
  () => "median(request_time::DECIMAL(9, 3) - 1)",
  () => "quantile_cont(status::DECIMAL(18, 4), [0.1, 0.85])",
  () => "quantile_cont(ts, 0.35)",
  () => "median(ts::DATE)",
  () => "quantile_cont(ts::TIMESTAMPTZ, [0.2, 0.7])",
  () => "median(ts::TIME)",
  () => "quantile_disc(ts::TIME, 0.1)",
  () => "histogram(status::DECIMAL(9, 2))",
  () => "percentile_disc(0.5) WITHIN GROUP (ORDER BY request_time DESC)",
  (_, value) => `histogram(${value()})`,
  // Values are eighths: without what is added, their variance can lie where rounding turns.
  (number) => `round(stddev(${number()}) + 1e-8, 6)`,
  (number) => `round(var_pop(${number()}) + 1e-8, 6)`,
  (number) => `round(stddev_pop(${number()}) / 2 + 1e-8, 6)`,
  (number) => `round(variance(${number()}) + 1e-8, 6)`,
  (number) => `count_if(${number()} > 3)`,
  () => "arg_max(line, line)",
  () => "arg_min(status, line)",
  () => "max_by(request_time, ts::VARCHAR || line)",
  () => "count(DISTINCT http_method COLLATE NOCASE)",
  () => "list_sort(list(DISTINCT status))",
  () => "string_agg(DISTINCT remote_user, '+' ORDER BY remote_user DESC)",
  () => "round(corr(status, request_time), 6)",
  () => "mad(status)",
  () => "entropy(http_method)",
];

function aggregate(dice: Dice): string {
  const filter = dice.chance(0.25) ? ` FILTER (WHERE ${dice.pick(CONDITIONS)})` : "";
  const number = () => dice.pick(NUMBERS);
  const value = () => dice.pick(VALUES);
  const call = dice.pick([
    () => "count(*)",
    () => "count()",
    () => `count(${value()})`,
    () => `sum(${number()})`,
    () => `avg(${number()})`,
    () => `mean(${number()})`,
    () => `min(${value()})`,
    () => `max(${value()})`,
    () => `min(DISTINCT ${value()})`,
    () => `bool_or(status > ${dice.integer(600)})`,
    () => `bool_and(status > ${dice.integer(600)})`,
    () => "bit_xor(status)",
    () => "bit_or(status)",
    () => "bit_and(body_bytes_sent)",
  ])();
  if (dice.chance(0.03)) return `avg(ts)${filter}`;
  if (dice.chance(0.3)) return `${dice.pick(VALUE_AGGREGATES)(number, value)}${filter}`;
  if (dice.chance(0.03)) return "string_agg(http_method, ',' ORDER BY http_method)";
  return `${call}${filter}`;
}

function aggregateExpression(dice: Dice): string {
  const first = aggregate(dice);
  if (dice.chance(0.75)) return first;
  return dice.pick([
    // The last digit of what is interpolated, or summed up in any order, is not the same everywhere.
    /cont|median|entropy/.test(first) ? `round(${first}, 3)` : `coalesce(${first}::VARCHAR, '-')`,
    `CASE WHEN count(*) > 3 THEN ${first} END`,
    "sum(body_bytes_sent) / count(*)",
    "round(100.0 * count(*) / sum(count(*)) OVER (), 1)",
    "count(*) + count(status) * 2",
    "max(ts) - min(ts)",
    "rank() OVER (ORDER BY count(*))",
    `typeof(${first})`,
    "sum(status) = sum(status)",
  ]);
}

function where(dice: Dice, subqueries: boolean): string {
  if (dice.chance(0.35)) return "";
  const pool = subqueries && dice.chance(0.1) ? SUBQUERY_CONDITIONS : CONDITIONS;
  const conditions = [...dice.some(CONDITIONS.filter((text) => text !== "false"), 2)];
  if (dice.chance(0.15)) conditions.push("false");
  if (pool === SUBQUERY_CONDITIONS) conditions.push(dice.pick(pool));
  return ` WHERE ${conditions.map((condition) => `(${condition})`).join(" AND ")}`;
}

/** GROUP BY in all its spellings. */
export function groupedQuery(dice: Dice): RandomQuery {
  const keys = dice.chance(0.2) ? [] : dice.some(KEYS, 3);
  const values = Array.from({ length: 1 + dice.integer(3) }, () => aggregateExpression(dice));
  const aliased = dice.chance(0.6);
  const item = (expression: string, i: number) =>
    aliased ? `${expression} AS ${i < keys.length ? "k" : "a"}${i}` : expression;
  const list = [...keys, ...values].map(item);
  const positions = keys.map((_, i) => i + 1);
  const groups = keys.length === 0 ? "" : dice.pick([
    () => ` GROUP BY ${positions.join(", ")}`,
    () => " GROUP BY ALL",
    () => ` GROUP BY ${keys.some((key) => key === "'all'") ? "ALL" : keys.join(", ")}`,
    () => aliased ? ` GROUP BY ${positions.map((i) => `k${i - 1}`).join(", ")}` : " GROUP BY ALL",
    () => ` GROUP BY ROLLUP (${positions.join(", ")})`,
    () => ` GROUP BY GROUPING SETS ((${positions[0]}), ())`,
  ])();
  const having = dice.pick(["", "", " HAVING count(*) > 2", " HAVING sum(status) > 1000"]);
  const ordered = dice.chance(0.5);
  const direction = () => dice.pick(["", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST"]);
  const orders = list.map((_, i) => `${aliased ? `${i < keys.length ? "k" : "a"}${i}` : i + 1}`);
  const order = !ordered
    ? ""
    : dice.chance(0.2)
    ? ` ORDER BY ALL${direction()}`
    : ` ORDER BY ${orders.map((column) => `${column}${direction()}`).join(", ")}`;
  const limit = ordered && dice.chance(0.4)
    ? ` LIMIT ${dice.integer(6)} OFFSET ${dice.integer(2)}`
    : "";
  const from = dice.chance(0.2) ? "logs AS logs" : "logs";
  return {
    sql: `SELECT ${list.join(", ")} FROM ${from}${
      where(dice, true)
    }${groups}${having}${order}${limit}`,
    ordered,
  };
}

/** Rows, in all ways that do not depend on their order. */
export function rowsQuery(dice: Dice): RandomQuery {
  const list = dice.pick([
    "*",
    "logs.*",
    "line_bytes, status AS s, request_time, host",
    "* EXCLUDE (line)",
    "upper(host), status + 1, 1e-1, now() AS moment",
    "-status AS status, ts, line",
    "COLUMNS('h.*'), ts, line, request_time",
  ]);
  const condition = where(dice, true);
  const unordered = { ordered: false };
  const limit = `LIMIT ${dice.integer(20)} OFFSET ${dice.integer(5)}`;
  return dice.pick([
    () => ({ sql: `SELECT ${list} FROM logs${condition}`, ...unordered }),
    () => ({ sql: `SELECT ${list} FROM logs${condition} ORDER BY ALL ${limit}`, ordered: true }),
    () => ({
      sql: `SELECT status, line, ts AS t FROM logs${condition} ORDER BY t DESC, 1, line ${limit}`,
      ordered: true,
    }),
    () => ({
      sql: `SELECT host FROM logs${condition} ORDER BY status % 7, ts, host, line ${limit}`,
      ordered: true,
    }),
    () => ({ sql: `SELECT DISTINCT http_method, status FROM logs${condition}`, ...unordered }),
    () => ({
      sql: `SELECT DISTINCT host FROM logs${condition} ORDER BY 1 ${limit}`,
      ordered: true,
    }),
    () => ({
      sql: `SELECT l.host, r.reason, count(*) AS n FROM logs l ${
        dice.pick(["", "LEFT ", "RIGHT ", "FULL "])
      }JOIN rejects r ON l.host = r.host WHERE ${
        dice.pick(["l.status > 300", "r.length > 10", "l.status = 200 AND r.reason = 'no_format'"])
      } GROUP BY ALL`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT a.host, b.status FROM logs a, logs b WHERE a.line = b.line AND b.status > 400`,
      ...unordered,
    }),
    () => ({
      sql: `WITH errors AS (SELECT * FROM logs${condition}) SELECT count(*), max(line) FROM errors`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT status FROM logs${condition} UNION ALL SELECT length FROM rejects`,
      ...unordered,
    }),
    () => ({
      sql:
        `SELECT line, row_number() OVER (PARTITION BY host ORDER BY ts, line) FROM logs${condition}`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT host, (SELECT count(*) FROM rejects WHERE rejects.host = o.host) AS n
        FROM logs o ORDER BY ALL LIMIT 3`,
      ordered: true,
    }),
    () => ({
      sql: `SELECT hour, sum(n) FROM (SELECT date_trunc('hour', ts) AS hour, count(*) AS n
        FROM logs${condition} GROUP BY 1) GROUP BY 1`,
      ...unordered,
    }),
    () => ({
      sql: `WITH e AS (SELECT status AS s, host, upper(http_method) AS m FROM logs${condition}),
        f AS (SELECT * FROM e WHERE s > 200) SELECT m, count(*) AS n, median(s) FROM f GROUP BY ALL`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT e.* FROM (SELECT * FROM logs${condition}) AS e ORDER BY ALL ${limit}`,
      ordered: true,
    }),
    () => ({
      sql: `WITH t AS (SELECT host, status, count(*) AS n FROM logs${condition} GROUP BY ALL)
        SELECT a.host, a.status, a.n, b.n AS total FROM t a
        JOIN (SELECT host, count(*) AS n FROM logs GROUP BY 1) b USING (host)`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT 'logs' AS t, count(*) AS n, max(host) FROM logs${condition}
        UNION ALL SELECT reason, count(DISTINCT host), min(host) FROM rejects GROUP BY 1`,
      ...unordered,
    }),
    () => ({
      sql:
        `SELECT count(*), max(n) FROM (SELECT DISTINCT status, http_method, 1 AS n FROM logs${condition})`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT DISTINCT ON (host, status) host, status, line FROM logs${condition}
        ORDER BY host, status, ts DESC, line ${limit}`,
      ordered: true,
    }),
    () => ({
      sql:
        `SELECT host, string_agg(line ORDER BY line), first(status ORDER BY line), mode(remote_addr || line)
        IS NULL FROM logs${condition} GROUP BY host HAVING count(*) > 1`,
      ...unordered,
    }),
    () => ({
      sql:
        `SELECT status AS host, count(*) AS n FROM (SELECT host AS status, status AS host FROM logs${condition})
        WHERE host > 200 GROUP BY status ORDER BY ALL`,
      ordered: true,
    }),
    () => ({
      sql:
        `PIVOT (SELECT host, status FROM logs${condition}) ON status IN (200, 404) USING count(*) GROUP BY host`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT * FROM (SELECT host, line, ts FROM logs${condition})
        QUALIFY row_number() OVER (PARTITION BY host ORDER BY ts, line) <= 2`,
      ...unordered,
    }),
    () => ({
      sql: `SELECT n, count(*) AS c, max(line) FROM (SELECT line, status,
          row_number() OVER (PARTITION BY host ORDER BY ts, line) AS n FROM logs${condition})
        WHERE n < 9 GROUP BY 1`,
      ...unordered,
    }),
    () => ({
      sql: `WITH w AS (SELECT host, line, lag(status) OVER (PARTITION BY host, http_method
          ORDER BY ts, line) AS before FROM logs${condition})
        SELECT * FROM w WHERE before IS DISTINCT FROM 200 ORDER BY ALL ${limit}`,
      ordered: true,
    }),
    () => ({ sql: "SELECT logs, rejects.host FROM logs, rejects WHERE length > 20", ...unordered }),
    () => ({ sql: "SELECT count(*) FROM rejects", ...unordered }),
    () => ({ sql: "SELECT sum(i) FROM range(10) t(i)", ...unordered }),
  ])();
}
