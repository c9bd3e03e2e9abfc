-- title: Busiest addresses
-- group: address
-- top: 10
-- least: 3
-- column value VARCHAR: the address
-- column count BIGINT: requests that it sent
-- stream: logs
-- needs: remote_addr
SELECT remote_addr AS value, count(*) AS count
FROM logs
WHERE remote_addr IS NOT NULL
GROUP BY remote_addr
