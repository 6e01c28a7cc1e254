-- Generated from pipelines/music/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `listeners_private` (
  `user_id` bigint COMMENT 'The account.',
  `first_name` string COMMENT 'The first name.',
  `last_name` string COMMENT 'The last name.',
  `email` string COMMENT 'Where mail reaches them.',
  `gender` string COMMENT 'The gender, as they said it.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'Private columns of listeners. One row per person with an account.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/music/listeners_private/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
