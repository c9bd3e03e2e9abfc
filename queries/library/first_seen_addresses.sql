-- title: Addresses seen for the first time
-- question: Which addresses came lately that had not come before in the range that is asked?
-- param within duration = 1h: how long ago they may have come first
-- param limit integer = 100: the most rows
-- column remote_addr VARCHAR: the address
-- column first_seen TIMESTAMP: its first request
-- column requests BIGINT: that it has sent since
-- column errors BIGINT: those answered with 400 or more
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/timestamp
SELECT remote_addr, min(ts) AS first_seen, count(*) AS requests,
  count(*) FILTER (WHERE status >= 400) AS errors
FROM logs
GROUP BY remote_addr
HAVING first_seen >= now()::TIMESTAMP - $within
ORDER BY first_seen DESC, remote_addr
LIMIT $limit
