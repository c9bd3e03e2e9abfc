-- title: Latency by route
-- question: How long do requests of each route take, most of them and the slowest?
-- param least integer = 3: routes with fewer requests are left out
-- param limit integer = 50: the most rows
-- column method VARCHAR: of the request
-- column route VARCHAR: three segments, decoded, without query; :id and :long_segment stand for any
-- column requests BIGINT: whose time was logged
-- column p50_s DOUBLE: half of them took no longer, in seconds
-- column p95_s DOUBLE: 95 % took no longer
-- column p99_s DOUBLE: 99 % took no longer
-- column max_s DOUBLE: the slowest
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html#var_request_time
SELECT http_method AS method,
  '/' || concat_ws('/',
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 2),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), ''),
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 3),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), ''),
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 4),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), '')
  ) AS route,
  count(*) AS requests,
  quantile_cont(request_time, 0.5) AS p50_s,
  quantile_cont(request_time, 0.95) AS p95_s,
  quantile_cont(request_time, 0.99) AS p99_s,
  max(request_time) AS max_s
FROM logs
WHERE request_time IS NOT NULL AND request IS NOT NULL
GROUP BY method, route
HAVING requests >= $least
ORDER BY p95_s DESC, method, route
LIMIT $limit
