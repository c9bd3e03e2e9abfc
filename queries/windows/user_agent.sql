-- title: User agents
-- group: user_agent
-- top: 10
-- least: 3
-- column value VARCHAR: as it calls itself, 256 characters of it at most
-- column count BIGINT: requests that it sent
-- stream: logs
-- needs: http_user_agent
WITH agents AS (
  SELECT http_user_agent AS agent, count(*) AS n
  FROM logs
  WHERE http_user_agent IS NOT NULL
  GROUP BY agent
)
SELECT left(agent, 256) AS value, sum(n)::BIGINT AS count
FROM agents
GROUP BY value
