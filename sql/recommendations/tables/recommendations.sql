-- Generated from pipelines/recommendations/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `recommendations` (
  `user_id` bigint COMMENT 'To whom it is recommended.',
  `rank` int COMMENT 'The place in the list, from 1.',
  `track_id` bigint COMMENT 'What is recommended.',
  `name` string COMMENT 'What the track is called.',
  `artist` string COMMENT 'Who plays it.',
  `score` double COMMENT 'What the ranks follow, from the greatest; of one model, and of no other, they can be compared.',
  `model_version` int COMMENT 'The version of the model that says so.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per listener and place in their list.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/recommendations/recommendations/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
