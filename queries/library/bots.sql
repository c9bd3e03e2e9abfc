-- title: Bots
-- question: Which programs that are no browser ask, how much, and do they read robots.txt?
-- param pattern text = bot|crawl|spider|slurp|curl|wget|python|java/|go-http|scrapy|headless: as a regular expression, in any case, what such programs call themselves
-- param limit integer = 50: the most rows
-- column http_user_agent VARCHAR: as it calls itself
-- column requests BIGINT: that it sent
-- column robots_txt BIGINT: those for /robots.txt
-- column errors BIGINT: those answered with 400 or more
-- column bytes HUGEINT: bytes sent, without headers
-- stream: logs
-- source: https://www.rfc-editor.org/rfc/rfc9309
SELECT http_user_agent, count(*) AS requests,
  count(*) FILTER (WHERE split_part(request, '?', 1) = '/robots.txt') AS robots_txt,
  count(*) FILTER (WHERE status >= 400) AS errors,
  sum(body_bytes_sent) AS bytes
FROM logs
WHERE regexp_matches(http_user_agent, $pattern, 'i')
GROUP BY http_user_agent
ORDER BY requests DESC, http_user_agent
LIMIT $limit
