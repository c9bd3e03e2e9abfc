-- title: Error bursts
-- question: When did many requests fail at once?
-- param bucket duration = 1m: time is cut into pieces of this length
-- param least integer = 10: pieces with fewer errors are left out
-- param percent number = 5: pieces with a smaller share of errors are left out
-- column began TIMESTAMP: the start of the piece
-- column requests BIGINT: in it
-- column errors BIGINT: those answered with 500 or more
-- column error_percent DOUBLE: the share of errors
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/timestamp
SELECT time_bucket($bucket, ts) AS began, count(*) AS requests,
  count(*) FILTER (WHERE status >= 500) AS errors,
  round(100 * errors / requests, 1) AS error_percent
FROM logs
GROUP BY began
HAVING errors >= $least AND error_percent >= $percent
ORDER BY began
