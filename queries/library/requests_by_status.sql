-- title: Requests by status
-- question: How are requests answered?
-- column status INTEGER: of the answer
-- column requests BIGINT: answered with it
-- column percent DOUBLE: of all requests
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-15
SELECT status, count(*) AS requests,
  round(100 * requests / sum(requests) OVER (), 2) AS percent
FROM logs
GROUP BY status
ORDER BY requests DESC, status
