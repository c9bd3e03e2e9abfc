-- title: Where requests come from
-- group: place
-- top: 10
-- least: 3
-- column value VARCHAR: country and city
-- column count BIGINT: requests from there
-- column country VARCHAR: its ISO code
-- column city VARCHAR: its English name
-- column sample VARCHAR: one of the addresses
-- stream: logs
-- needs: geo_country geo_city remote_addr
SELECT concat_ws('/', geo_country, geo_city) AS value, count(*) AS count,
  geo_country AS country, geo_city AS city, min(remote_addr) AS sample
FROM logs
WHERE geo_country IS NOT NULL OR geo_city IS NOT NULL
GROUP BY geo_country, geo_city
