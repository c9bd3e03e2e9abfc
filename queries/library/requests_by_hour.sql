-- title: Requests by hour of the day
-- question: At which hours (UTC) is there most to do?
-- column hour BIGINT: 0 to 23
-- column requests BIGINT: in that hour, of all days of the range
-- stream: logs
-- source: https://duckdb.org/docs/stable/sql/functions/datepart
SELECT HOUR(time_local) AS hour, count(*) AS requests
FROM logs
GROUP BY hour
ORDER BY hour
