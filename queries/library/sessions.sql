-- title: The longest sessions
-- question: Who clicked through most, without a long pause?
-- param pause duration = 30m: a longer one ends a session
-- param limit integer = 20: the most rows
-- column remote_addr VARCHAR: the address
-- column http_user_agent VARCHAR: its program; several people may share an address
-- column started TIMESTAMP: the first request
-- column requests BIGINT: of the session
-- column duration_s BIGINT: from its first to its last request, in seconds
-- column bytes HUGEINT: bytes sent, without headers
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/window_functions
WITH visits AS (
  SELECT remote_addr, http_user_agent, time_local, body_bytes_sent,
    LAG(time_local) OVER (
      PARTITION BY remote_addr, http_user_agent ORDER BY time_local
    ) AS previous,
    coalesce(time_local - previous > $pause, true) AS begins
  FROM logs
), numbered AS (
  SELECT *, count(*) FILTER (WHERE begins) OVER (
      PARTITION BY remote_addr, http_user_agent ORDER BY time_local
    ) AS session
  FROM visits
)
SELECT remote_addr, http_user_agent, min(time_local) AS started, count(*) AS requests,
  date_diff('second', started, max(time_local)) AS duration_s, sum(body_bytes_sent) AS bytes
FROM numbered
GROUP BY remote_addr, http_user_agent, session
ORDER BY requests DESC, duration_s DESC, started, remote_addr, http_user_agent
LIMIT $limit
