-- title: History of an address
-- question: What did one address do?
-- param address text: the address
-- param limit integer = 1000: the most rows, the latest first
-- column ts TIMESTAMP: when
-- column host VARCHAR: which host it asked
-- column http_method VARCHAR: how
-- column request VARCHAR: for what
-- column status INTEGER: the answer
-- column body_bytes_sent BIGINT: bytes sent, without headers
-- column http_user_agent VARCHAR: its program
-- stream: logs
-- source: https://nginx.org/en/docs/http/ngx_http_log_module.html
SELECT ts, host, http_method, request, status, body_bytes_sent, http_user_agent
FROM logs
WHERE remote_addr = $address
ORDER BY ts DESC, host, request
LIMIT $limit
