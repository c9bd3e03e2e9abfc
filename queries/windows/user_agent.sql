-- title: User agents
-- group: user_agent
-- top: 10
-- least: 3
-- column value VARCHAR: as it calls itself
-- column count BIGINT: requests that it sent
-- stream: logs
-- needs: http_user_agent
SELECT http_user_agent AS value, count(*) AS count
FROM logs
WHERE http_user_agent IS NOT NULL
GROUP BY http_user_agent
