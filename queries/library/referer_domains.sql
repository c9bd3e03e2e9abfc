-- title: Domains that refer
-- question: From which domains do visitors come?
-- param more_than integer = 1: domains with more requests than this
-- param limit integer = 100: the most rows
-- column domain VARCHAR: of the referring page, in lower case
-- column requests BIGINT: that name it
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.3
SELECT lower(regexp_extract(http_referer, '^https?://([^/:?#]+)', 1)) AS domain,
  count(*) AS requests
FROM logs
WHERE domain <> ''
GROUP BY domain
HAVING requests > $more_than
ORDER BY requests DESC, domain
LIMIT $limit
