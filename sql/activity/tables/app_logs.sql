-- Generated from pipelines/activity/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `app_logs` (
  `log_id` bigint COMMENT 'Number of the row; later rows have higher ones.',
  `logged_at` timestamp COMMENT 'When the request was answered.',
  `level` string COMMENT 'How bad it was.',
  `service` string COMMENT 'The part of the application that answered.',
  `city` string COMMENT 'The city of the data centre that was asked.',
  `user_id` bigint COMMENT 'Who asked, where somebody had signed in.',
  `status` smallint COMMENT 'Status of the HTTP answer.',
  `latency_ms` decimal(10,3) COMMENT 'How long the answer took, in milliseconds.',
  `trace_id` string COMMENT 'What connects the requests of one click, a UUID.',
  `message` string COMMENT 'What was logged, of an error with its traceback.',
  `attributes` string COMMENT 'What else the service said of the request, as JSON.',
  `tags` array<string> COMMENT 'Words by which the service sorts its requests.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per request, as the application logged it.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/activity/app_logs/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
