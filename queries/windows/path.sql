-- title: Pages and APIs
-- group: path
-- top: 10
-- least: 3
-- column value VARCHAR: three segments, decoded, without query; :id and :long_segment stand for any
-- column count BIGINT: requests for it
-- stream: logs
-- needs: request
WITH bare AS (
  SELECT split_part(request, '?', 1) AS raw, count(*) AS n
  FROM logs
  WHERE request IS NOT NULL
  GROUP BY raw
), decoded AS (
  SELECT split_part(coalesce(TRY(url_decode(raw)), raw), '?', 1) AS path, n FROM bare
), short AS (
  SELECT list_filter(string_split(path, '/')[2:4], segment -> segment <> '') AS segments, n
  FROM decoded
)
SELECT '/' || array_to_string(list_transform(segments, segment -> CASE
    WHEN regexp_full_match(segment, '(idx)?[0-9]+') THEN ':id'
    WHEN length(segment) > 40 THEN ':long_segment'
    ELSE segment END), '/') AS value,
  sum(n)::BIGINT AS count
FROM short
GROUP BY value
