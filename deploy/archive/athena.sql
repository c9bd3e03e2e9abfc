-- Access logs in a logvend archive, for Athena engine version 3 or newer. Put in BUCKET and PREFIX.
-- Generated; other streams: logvend-agent views --engine athena --location s3://BUCKET/PREFIX
CREATE EXTERNAL TABLE IF NOT EXISTS `logs_chunks` (
  `ts` timestamp,
  `remote_addr` string,
  `remote_user` string,
  `http_method` string,
  `request` string,
  `http_version` string,
  `status` int,
  `body_bytes_sent` bigint,
  `http_referer` string,
  `http_user_agent` string,
  `request_time_ms` int,
  `time_zone_min` smallint,
  `layout` string,
  `line_text` string,
  `line_raw` binary,
  `host` string,
  `generation` string,
  `line_offset` bigint,
  `line_length` int
) PARTITIONED BY (
  `region` string,
  `date` string,
  `hour` string
) STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/stream=logs/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.region.type' = 'injected',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://BUCKET/PREFIX/stream=logs/region=${region}/date=${date}/hour=${hour}/'
);
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
CREATE EXTERNAL TABLE IF NOT EXISTS `rejects_chunks` (
  `ts` timestamp,
  `stream` string,
  `file` string,
  `reason` string,
  `length` bigint,
  `line` binary,
  `host` string,
  `generation` string,
  `line_offset` bigint
) PARTITIONED BY (
  `region` string,
  `date` string,
  `hour` string
) STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/stream=rejects/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.region.type' = 'injected',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = 's3://BUCKET/PREFIX/stream=rejects/region=${region}/date=${date}/hour=${hour}/'
);
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
