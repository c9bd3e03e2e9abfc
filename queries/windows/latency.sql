-- title: How long requests take
-- group: latency
-- column count BIGINT: requests whose time was logged
-- column p50_s DOUBLE: half of them took no longer, in seconds
-- column p95_s DOUBLE: 95 % took no longer
-- column p99_s DOUBLE: 99 % took no longer
-- column max_s DOUBLE: the slowest
-- column sum_s DOUBLE: all of them together
-- column within STRUCT: how many took no longer than 5 ms, 10 ms, … 10 s; these add up over hosts
-- stream: logs
-- needs: request_time
SELECT count, quantiles[1] AS p50_s, quantiles[2] AS p95_s, quantiles[3] AS p99_s, max_s, sum_s,
  within
FROM (
  SELECT count(*) AS count, quantile_disc(request_time, [0.5, 0.95, 0.99]) AS quantiles,
    max(request_time) AS max_s, round(sum(request_time), 3) AS sum_s,
    {
      ms_5: count_if(request_time <= 0.005),
      ms_10: count_if(request_time <= 0.01),
      ms_25: count_if(request_time <= 0.025),
      ms_50: count_if(request_time <= 0.05),
      ms_100: count_if(request_time <= 0.1),
      ms_250: count_if(request_time <= 0.25),
      ms_500: count_if(request_time <= 0.5),
      ms_1000: count_if(request_time <= 1),
      ms_2500: count_if(request_time <= 2.5),
      ms_5000: count_if(request_time <= 5),
      ms_10000: count_if(request_time <= 10)
    } AS within
  FROM logs
  WHERE request_time IS NOT NULL
)
WHERE count > 0
