-- Access logs in a logvend archive, for DuckDB 1.1 or newer. Put in BUCKET and PREFIX.
-- Generated; other streams: logvend-agent views --engine duckdb --location s3://BUCKET/PREFIX
CREATE OR REPLACE VIEW "logs" AS
  SELECT CAST("ts" AS TIMESTAMP) AS "ts", CAST(ts AS TIMESTAMP) AS "time_local", CAST("remote_addr" AS VARCHAR) AS "remote_addr", CAST("remote_user" AS VARCHAR) AS "remote_user", CAST("http_method" AS VARCHAR) AS "http_method", CAST("request" AS VARCHAR) AS "request", CAST("http_version" AS VARCHAR) AS "http_version", CAST("status" AS INTEGER) AS "status", CAST("body_bytes_sent" AS BIGINT) AS "body_bytes_sent", CAST("http_referer" AS VARCHAR) AS "http_referer", CAST("http_user_agent" AS VARCHAR) AS "http_user_agent", CAST(request_time_ms / 1000.0::DOUBLE AS DOUBLE) AS "request_time", CAST("host" AS VARCHAR) AS "host", regexp_extract("logvend_file", '/region=([^/]*)/', 1) AS "region", CAST(coalesce(line_text, CASE if(coalesce(ends_with(layout, '+redacted'), false), left(layout, -9), layout)
    WHEN 'common' THEN concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-'))
    WHEN 'combined' THEN concat(concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-')), ' "', http_referer, '" "', http_user_agent, '"')
    WHEN 'combined_time' THEN concat(concat(concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-')), ' "', http_referer, '" "', http_user_agent, '"'), ' ',
      format('{:d}.{:03d}', request_time_ms // 1000, request_time_ms % 1000))
    WHEN 'json' THEN concat('{"remote_addr":"', remote_addr, '","remote_user":"', remote_user,
    '","time_local":"', strftime(ts, '%Y-%m-%dT%H:%M:%S'), '","http_method":"', http_method,
    '","request":"', request, '","http_version":"', http_version, '","status":', status,
    ',"body_bytes_sent":', body_bytes_sent, ',"http_referer":"', http_referer,
    '","http_user_agent":"', http_user_agent, '"}') END) AS VARCHAR) AS "line", CAST(coalesce(line_raw, encode(coalesce(line_text, CASE if(coalesce(ends_with(layout, '+redacted'), false), left(layout, -9), layout)
    WHEN 'common' THEN concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-'))
    WHEN 'combined' THEN concat(concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-')), ' "', http_referer, '" "', http_user_agent, '"')
    WHEN 'combined_time' THEN concat(concat(concat(remote_addr, ' - ', remote_user, ' [', strftime(ts + to_minutes(time_zone_min), '%d/%b/%Y:%H:%M:%S'), ' ', format('{}{:02d}{:02d}', if(time_zone_min < 0, '-', '+'),
    abs(time_zone_min) // 60, abs(time_zone_min) % 60), '] "',
    http_method, ' ', request, ' ', http_version, '" ', status, ' ', coalesce(body_bytes_sent::VARCHAR, '-')), ' "', http_referer, '" "', http_user_agent, '"'), ' ',
      format('{:d}.{:03d}', request_time_ms // 1000, request_time_ms % 1000))
    WHEN 'json' THEN concat('{"remote_addr":"', remote_addr, '","remote_user":"', remote_user,
    '","time_local":"', strftime(ts, '%Y-%m-%dT%H:%M:%S'), '","http_method":"', http_method,
    '","request":"', request, '","http_version":"', http_version, '","status":', status,
    ',"body_bytes_sent":', body_bytes_sent, ',"http_referer":"', http_referer,
    '","http_user_agent":"', http_user_agent, '"}') END))) AS BLOB) AS "line_bytes", regexp_extract("logvend_file", '/date=([^/]*)/', 1) AS "date", regexp_extract("logvend_file", '/hour=([^/]*)/', 1) AS "hour"
  FROM (SELECT CAST(NULL AS TIMESTAMP) AS "ts", CAST(NULL AS VARCHAR) AS "remote_addr", CAST(NULL AS VARCHAR) AS "remote_user", CAST(NULL AS VARCHAR) AS "http_method", CAST(NULL AS VARCHAR) AS "request", CAST(NULL AS VARCHAR) AS "http_version", CAST(NULL AS INTEGER) AS "status", CAST(NULL AS BIGINT) AS "body_bytes_sent", CAST(NULL AS VARCHAR) AS "http_referer", CAST(NULL AS VARCHAR) AS "http_user_agent", CAST(NULL AS INTEGER) AS "request_time_ms", CAST(NULL AS SMALLINT) AS "time_zone_min", CAST(NULL AS VARCHAR) AS "layout", CAST(NULL AS VARCHAR) AS "line_text", CAST(NULL AS BLOB) AS "line_raw", CAST(NULL AS VARCHAR) AS "host", CAST(NULL AS VARCHAR) AS "generation", CAST(NULL AS BIGINT) AS "line_offset", CAST(NULL AS INTEGER) AS "line_length", CAST(NULL AS VARCHAR) AS "logvend_file" WHERE false
    UNION ALL BY NAME SELECT * FROM read_parquet('s3://BUCKET/PREFIX/stream=logs/**/*.parquet',
      union_by_name = true, hive_partitioning = false, filename = 'logvend_file'));
CREATE OR REPLACE VIEW "rejects" AS
  SELECT CAST("ts" AS TIMESTAMP) AS "ts", CAST("stream" AS VARCHAR) AS "stream", CAST("host" AS VARCHAR) AS "host", regexp_extract("logvend_file", '/region=([^/]*)/', 1) AS "region", CAST("file" AS VARCHAR) AS "file", CAST("generation" AS VARCHAR) AS "generation", CAST("line_offset" AS BIGINT) AS "line_offset", CAST("reason" AS VARCHAR) AS "reason", CAST("length" AS BIGINT) AS "length", CAST("line" AS BLOB) AS "line", regexp_extract("logvend_file", '/date=([^/]*)/', 1) AS "date", regexp_extract("logvend_file", '/hour=([^/]*)/', 1) AS "hour"
  FROM (SELECT CAST(NULL AS TIMESTAMP) AS "ts", CAST(NULL AS VARCHAR) AS "stream", CAST(NULL AS VARCHAR) AS "file", CAST(NULL AS VARCHAR) AS "reason", CAST(NULL AS BIGINT) AS "length", CAST(NULL AS BLOB) AS "line", CAST(NULL AS VARCHAR) AS "host", CAST(NULL AS VARCHAR) AS "generation", CAST(NULL AS BIGINT) AS "line_offset", CAST(NULL AS VARCHAR) AS "logvend_file" WHERE false
    UNION ALL BY NAME SELECT * FROM read_parquet('s3://BUCKET/PREFIX/stream=rejects/**/*.parquet',
      union_by_name = true, hive_partitioning = false, filename = 'logvend_file'));
