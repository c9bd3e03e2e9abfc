-- title: Requests by user agent
-- question: Which programs send most requests?
-- param least integer = 3: programs with fewer are left out
-- param limit integer = 10: the most rows
-- column http_user_agent VARCHAR: as they call themselves
-- column requests BIGINT: that they sent
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5
SELECT http_user_agent, count(*) AS requests
FROM logs
GROUP BY http_user_agent
HAVING requests >= $least
ORDER BY requests DESC, http_user_agent
LIMIT $limit
