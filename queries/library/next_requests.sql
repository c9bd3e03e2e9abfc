-- title: The next request
-- question: Where do visitors go from a page?
-- param limit integer = 50: the most rows
-- column request VARCHAR: what an address asked for
-- column next_request VARCHAR: what it asked for next
-- column times BIGINT: how often that happened
-- column after_avg_s DOUBLE: mean time between the two, in seconds
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/window_functions
WITH steps AS (
  SELECT request,
    LEAD(request) OVER (PARTITION BY remote_addr ORDER BY time_local, request) AS next_request,
    LEAD(time_local) OVER (PARTITION BY remote_addr ORDER BY time_local, request) AS next_time,
    date_diff('second', time_local, next_time) AS after_s
  FROM logs
)
SELECT request, next_request, count(*) AS times, round(avg(after_s), 1) AS after_avg_s
FROM steps
WHERE next_time IS NOT NULL
GROUP BY request, next_request
ORDER BY times DESC, request, next_request
LIMIT $limit
