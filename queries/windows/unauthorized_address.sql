-- title: Unauthorized addresses
-- group: unauthorized_address
-- top: 10
-- least: 3
-- column value VARCHAR: the address
-- column count BIGINT: its requests answered with 401 or 403
-- stream: logs
-- needs: status remote_addr
SELECT remote_addr AS value, count(*) AS count
FROM logs
WHERE status IN (401, 403) AND remote_addr IS NOT NULL
GROUP BY remote_addr
