-- title: Requests by place
-- question: Where do requests come from? (Asks hosts that look places up: geo in agent.yaml.)
-- param least integer = 3: places with fewer requests are left out
-- param limit integer = 10: the most rows
-- column geo_country VARCHAR: its ISO code; NULL where nothing is known
-- column geo_city VARCHAR: its English name
-- column requests BIGINT: from there
-- stream: logs
-- source: https://www.iso.org/iso-3166-country-codes.html
SELECT geo_country, geo_city, count(*) AS requests
FROM logs
GROUP BY geo_country, geo_city
HAVING requests >= $least
ORDER BY requests DESC, geo_country, geo_city
LIMIT $limit
