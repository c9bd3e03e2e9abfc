-- title: Bandwidth by address
-- question: To which addresses is most sent?
-- param limit integer = 20: the most rows
-- column remote_addr VARCHAR: the address
-- column bytes HUGEINT: bytes sent to it, without headers
-- column requests BIGINT: that it sent
-- column bytes_avg DOUBLE: mean bytes of an answer
-- column percent DOUBLE: of all bytes
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html#var_body_bytes_sent
SELECT remote_addr, sum(body_bytes_sent) AS bytes, count(*) AS requests,
  round(avg(body_bytes_sent), 1) AS bytes_avg,
  round(100 * bytes / sum(bytes) OVER (), 2) AS percent
FROM logs
GROUP BY remote_addr
HAVING bytes > 0
ORDER BY bytes DESC, remote_addr
LIMIT $limit
