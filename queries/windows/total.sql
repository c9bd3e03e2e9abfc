-- title: Data volume
-- group: total
-- column count BIGINT: requests
-- column bytes BIGINT: sent, without headers
-- stream: logs
-- needs: body_bytes_sent
SELECT count(*) AS count, coalesce(sum(body_bytes_sent), 0)::BIGINT AS bytes
FROM logs
