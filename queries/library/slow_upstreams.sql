-- title: Slow upstreams
-- question: Which servers behind nginx are slow? (Its log_format must have $upstream_addr and $upstream_response_time.)
-- param over duration = 1s: longer is slow
-- param limit integer = 20: the most rows
-- column upstream_addr VARCHAR: the server; several where a request went from one to the next
-- column requests BIGINT: that it was sent
-- column slow BIGINT: those that took longer than that
-- column slow_percent DOUBLE: their share
-- column mean_s DOUBLE: mean time, in seconds
-- column max_s DOUBLE: the slowest
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#variables
SELECT upstream_addr, count(*) AS requests,
  count(*) FILTER (WHERE upstream_response_time > epoch($over)) AS slow,
  round(100 * slow / requests, 1) AS slow_percent,
  round(avg(upstream_response_time), 3) AS mean_s,
  max(upstream_response_time) AS max_s
FROM logs
WHERE upstream_response_time IS NOT NULL
GROUP BY upstream_addr
ORDER BY slow DESC, mean_s DESC, upstream_addr
LIMIT $limit
