-- title: Callers of what is not there
-- question: Which addresses ask for pages that do not exist, as scanners do?
-- param least integer = 3: addresses with fewer such requests are left out
-- param limit integer = 10: the most rows
-- column remote_addr VARCHAR: the address
-- column requests BIGINT: answered with 404
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5
SELECT remote_addr, count(*) AS requests
FROM logs
WHERE status = 404
GROUP BY remote_addr
HAVING requests >= $least
ORDER BY requests DESC, remote_addr
LIMIT $limit
