-- Generated from pipelines/music/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `listens` (
  `user_id` bigint COMMENT 'Who listened.',
  `created_at` timestamp COMMENT 'When the history was begun.',
  `position` int COMMENT 'The place in the history, from 0.',
  `track_id` bigint COMMENT 'What was listened to.',
  `updated_at` timestamp COMMENT 'When the history was continued last.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per place in a user\'s listening history.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/music/listens/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
