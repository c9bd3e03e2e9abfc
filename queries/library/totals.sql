-- title: Totals
-- question: How many requests were there, and how many bytes were sent?
-- column requests BIGINT: all of them
-- column bytes HUGEINT: bytes sent, without headers
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html#var_body_bytes_sent
SELECT count(*) AS requests, sum(body_bytes_sent) AS bytes
FROM logs
