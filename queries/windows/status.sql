-- title: Requests by status
-- group: status
-- top: 15
-- column value VARCHAR: the status
-- column count BIGINT: requests answered with it
-- stream: logs
-- needs: status
SELECT status::VARCHAR AS value, count(*) AS count
FROM logs
WHERE status IS NOT NULL
GROUP BY status
