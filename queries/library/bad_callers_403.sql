-- title: Unauthorized callers
-- question: Which addresses try to get in where they may not?
-- param least integer = 3: addresses with fewer such requests are left out
-- param limit integer = 10: the most rows
-- column remote_addr VARCHAR: the address
-- column requests BIGINT: answered with 401 or 403
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.4
SELECT remote_addr, count(*) AS requests
FROM logs
WHERE status IN (401, 403)
GROUP BY remote_addr
HAVING requests >= $least
ORDER BY requests DESC, remote_addr
LIMIT $limit
