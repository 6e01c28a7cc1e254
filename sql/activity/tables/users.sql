-- Generated from pipelines/activity/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `users` (
  `user_id` bigint COMMENT 'The account.',
  `segment` string COMMENT 'What they pay for.',
  `home_city` string COMMENT 'Where they live, where they said so.',
  `signed_up_at` timestamp COMMENT 'Since when they have the account.',
  `wants_news` boolean COMMENT 'Whether they want to be written to.',
  `paid_total` decimal(12,2) COMMENT 'What they have paid so far, in dollars.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per person with an account.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/activity/users/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
