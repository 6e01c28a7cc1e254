-- Generated from pipelines/recommendations/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `popular_tracks` (
  `genre` string COMMENT 'The genre, or * for all.',
  `rank` int COMMENT 'The place, from 1.',
  `track_id` bigint COMMENT 'What is popular.',
  `name` string COMMENT 'What the track is called.',
  `artist` string COMMENT 'Who plays it.',
  `listens` bigint COMMENT 'How many listeners have heard it.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per genre and place among what is heard by most; the genre * is all of them together.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/recommendations/popular_tracks/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
