-- Access logs in a logvend archive, for Trino 420 or newer. Put in BUCKET and PREFIX.
-- Generated; other streams: logvend-agent views --engine trino --location s3://BUCKET/PREFIX
CREATE TABLE IF NOT EXISTS "logs_chunks" (
  "ts" timestamp(3),
  "remote_addr" varchar,
  "remote_user" varchar,
  "http_method" varchar,
  "request" varchar,
  "http_version" varchar,
  "status" integer,
  "body_bytes_sent" bigint,
  "http_referer" varchar,
  "http_user_agent" varchar,
  "request_time_ms" integer,
  "time_zone_min" smallint,
  "layout" varchar,
  "line_text" varchar,
  "line_raw" varbinary,
  "host" varchar,
  "generation" varchar,
  "line_offset" bigint,
  "line_length" integer,
  "region" varchar,
  "date" varchar,
  "hour" varchar
) WITH (
  external_location = 's3://BUCKET/PREFIX/stream=logs',
  format = 'PARQUET',
  partitioned_by = ARRAY['region', 'date', 'hour']
);
CALL system.sync_partition_metadata(CURRENT_SCHEMA, 'logs_chunks', 'ADD');
CREATE OR REPLACE VIEW "logs" AS
SELECT
  "ts" AS "ts",
  "ts" AS "time_local",
  "remote_addr" AS "remote_addr",
  "remote_user" AS "remote_user",
  "http_method" AS "http_method",
  "request" AS "request",
  "http_version" AS "http_version",
  "status" AS "status",
  "body_bytes_sent" AS "body_bytes_sent",
  "http_referer" AS "http_referer",
  "http_user_agent" AS "http_user_agent",
  "request_time_ms" / 1000e0 AS "request_time",
  "host" AS "host",
  "region" AS "region",
  "date" AS "date",
  "hour" AS "hour"
FROM "logs_chunks";
CREATE TABLE IF NOT EXISTS "rejects_chunks" (
  "ts" timestamp(3),
  "stream" varchar,
  "file" varchar,
  "reason" varchar,
  "length" bigint,
  "line" varbinary,
  "host" varchar,
  "generation" varchar,
  "line_offset" bigint,
  "region" varchar,
  "date" varchar,
  "hour" varchar
) WITH (
  external_location = 's3://BUCKET/PREFIX/stream=rejects',
  format = 'PARQUET',
  partitioned_by = ARRAY['region', 'date', 'hour']
);
CALL system.sync_partition_metadata(CURRENT_SCHEMA, 'rejects_chunks', 'ADD');
CREATE OR REPLACE VIEW "rejects" AS
SELECT
  "ts" AS "ts",
  "stream" AS "stream",
  "host" AS "host",
  "region" AS "region",
  "file" AS "file",
  "generation" AS "generation",
  "line_offset" AS "line_offset",
  "reason" AS "reason",
  "length" AS "length",
  "date" AS "date",
  "hour" AS "hour"
FROM "rejects_chunks";
