-- title: Downloads
-- question: Which files are downloaded, and how much is sent of them?
-- param pattern text = %.___: paths, as LIKE has them; the default is any ending of three letters
-- param limit integer = 50: the most rows
-- column file VARCHAR: the path, without its query
-- column downloads BIGINT: requests that were answered with content
-- column bytes HUGEINT: bytes sent, without headers
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/pattern_matching
SELECT split_part(request, '?', 1) AS file, count(*) AS downloads, sum(body_bytes_sent) AS bytes
FROM logs
WHERE file LIKE $pattern AND status IN (200, 206)
GROUP BY file
ORDER BY downloads DESC, file
LIMIT $limit
