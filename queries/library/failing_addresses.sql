-- title: Addresses with errors
-- question: Which addresses get many errors, of how many requests?
-- param more_than integer = 10: addresses with more errors than this
-- column remote_addr VARCHAR: the address
-- column errors BIGINT: its requests that were answered with 400 or more
-- column requests BIGINT: all that it sent
-- column error_percent DOUBLE: the share of errors
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
SELECT remote_addr, count(*) FILTER (WHERE status >= 400) AS errors, count(*) AS requests,
  round(100 * errors / requests, 1) AS error_percent
FROM logs
GROUP BY remote_addr
HAVING errors > $more_than
ORDER BY errors DESC, remote_addr
