-- title: What came before errors
-- question: What had an address done before its requests failed?
-- param status integer = 500: failed means answered with this or more
-- param limit integer = 100: the most rows
-- column remote_addr VARCHAR: the address
-- column failed_at TIMESTAMP: when its request failed
-- column status INTEGER: with what
-- column failed VARCHAR: the address it asked for
-- column earlier_s BIGINT: how many seconds earlier the action was
-- column earlier VARCHAR: what it had asked for then
-- column earlier_status INTEGER: the answer to that
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/query_syntax/from
SELECT failure.remote_addr, failure.time_local AS failed_at, failure.status,
  failure.request AS failed,
  date_diff('second', action.time_local, failed_at) AS earlier_s,
  action.request AS earlier, action.status AS earlier_status
FROM logs AS failure
JOIN logs AS action
  ON action.remote_addr = failure.remote_addr AND action.time_local < failure.time_local
WHERE failure.status >= $status
ORDER BY failed_at, failure.remote_addr, earlier_s, failed, earlier, earlier_status
LIMIT $limit
