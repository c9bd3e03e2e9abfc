-- title: Dwell times
-- question: How long do visitors stay on a page before they ask for the next one?
-- param more_than integer = 10: addresses with more views than this
-- param limit integer = 100: the most rows
-- column remote_addr VARCHAR: the address
-- column views BIGINT: requests that it sent
-- column dwell_avg_s DOUBLE: mean time between two of them, in seconds
-- column dwell_max_s BIGINT: the longest
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/window_functions
WITH views AS (
  SELECT remote_addr,
    LAG(time_local) OVER (PARTITION BY remote_addr ORDER BY time_local) AS previous,
    date_diff('second', previous, time_local) AS dwell_s
  FROM logs
)
SELECT remote_addr, count(*) AS views, round(avg(dwell_s), 1) AS dwell_avg_s,
  max(dwell_s) AS dwell_max_s
FROM views
GROUP BY remote_addr
HAVING views > $more_than
ORDER BY dwell_avg_s DESC, remote_addr
LIMIT $limit
