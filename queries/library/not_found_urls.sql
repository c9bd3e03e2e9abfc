-- title: URLs not found
-- question: Which URLs are asked for most and are not there?
-- param limit integer = 10: the most rows
-- column request VARCHAR: the address asked for, with its query
-- column hits BIGINT: answers of 404
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5
SELECT request, count(*) AS hits
FROM logs
WHERE status = 404
GROUP BY request
ORDER BY hits DESC, request
LIMIT $limit
