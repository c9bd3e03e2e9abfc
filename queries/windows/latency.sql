-- title: How long requests take
-- group: latency
-- column count BIGINT: requests whose time was logged
-- column p50_s DOUBLE: half of them took no longer, in seconds
-- column p95_s DOUBLE: 95 % took no longer
-- column p99_s DOUBLE: 99 % took no longer
-- column max_s DOUBLE: the slowest
-- stream: logs
-- needs: request_time
SELECT count, quantiles[1] AS p50_s, quantiles[2] AS p95_s, quantiles[3] AS p99_s, max_s
FROM (
  SELECT count(*) AS count, quantile_disc(request_time, [0.5, 0.95, 0.99]) AS quantiles,
    max(request_time) AS max_s
  FROM logs
  WHERE request_time IS NOT NULL
)
WHERE count > 0
