-- title: Throttled callers
-- question: Which addresses send more than they are allowed to?
-- param least integer = 3: addresses with fewer such requests are left out
-- param limit integer = 10: the most rows
-- column remote_addr VARCHAR: the address
-- column requests BIGINT: answered with 429
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc6585#section-4
SELECT remote_addr, count(*) AS requests
FROM logs
WHERE status = 429
GROUP BY remote_addr
HAVING requests >= $least
ORDER BY requests DESC, remote_addr
LIMIT $limit
