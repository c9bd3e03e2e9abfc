-- title: Requests by path
-- question: Which pages are asked for most, whatever the numbers in their paths?
-- param least integer = 3: paths with fewer requests are left out
-- param limit integer = 10: the most rows
-- column path VARCHAR: three segments, decoded, without query; :id and :long_segment stand for any
-- column requests BIGINT: for it
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc3986#section-3.3
SELECT
  '/' || concat_ws('/',
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 2),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), ''),
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 3),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), ''),
    nullif(regexp_replace(regexp_replace(
      split_part(split_part(coalesce(TRY(url_decode(request)), request), '?', 1), '/', 4),
      '^(idx)?[0-9]+$', ':id'), '^[^/]{41,}$', ':long_segment'), '')
  ) AS path,
  count(*) AS requests
FROM logs
WHERE request IS NOT NULL
GROUP BY path
HAVING requests >= $least
ORDER BY requests DESC, path
LIMIT $limit
