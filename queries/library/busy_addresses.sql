-- title: Busy addresses
-- question: Which addresses send more requests than a person would?
-- param more_than integer = 100: addresses with more requests than this
-- column remote_addr VARCHAR: the address
-- column requests BIGINT: that it sent
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html
SELECT remote_addr, count(*) AS requests
FROM logs
GROUP BY remote_addr
HAVING requests > $more_than
ORDER BY requests DESC, remote_addr
