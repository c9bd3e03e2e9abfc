-- title: Requests to the API
-- question: Which addresses of the API are asked for, how often, and how often in vain?
-- param pattern text = /api/%: paths, as LIKE has them
-- param limit integer = 50: the most rows
-- column request VARCHAR: the address asked for, with its query
-- column hits BIGINT: requests for it
-- column errors BIGINT: those answered with 400 or more
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html
SELECT request, count(*) AS hits, count(*) FILTER (WHERE status >= 400) AS errors
FROM logs
WHERE request LIKE $pattern
GROUP BY request
ORDER BY hits DESC, request
LIMIT $limit
