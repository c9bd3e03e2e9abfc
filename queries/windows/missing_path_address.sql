-- title: Callers of pages that are gone
-- group: missing_path_address
-- top: 10
-- least: 3
-- column value VARCHAR: the address
-- column count BIGINT: its requests answered with 404
-- stream: logs
-- needs: status remote_addr
SELECT remote_addr AS value, count(*) AS count
FROM logs
WHERE status = 404 AND remote_addr IS NOT NULL
GROUP BY remote_addr
