-- title: Requests by address
-- question: Which addresses send most requests?
-- param least integer = 3: addresses with fewer are left out
-- param limit integer = 10: the most rows
-- column remote_addr VARCHAR: the address
-- column requests BIGINT: that it sent
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html
SELECT remote_addr, count(*) AS requests
FROM logs
GROUP BY remote_addr
HAVING requests >= $least
ORDER BY requests DESC, remote_addr
LIMIT $limit
