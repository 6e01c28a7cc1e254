-- Generated from pipelines/music/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `tracks` (
  `track_id` bigint COMMENT 'The track.',
  `name` string COMMENT 'What it is called.',
  `artist` string COMMENT 'Who plays it.',
  `songwriters` string COMMENT 'Who wrote it, as the app spells it.',
  `duration_seconds` int COMMENT 'How long it is; the app writes minutes and seconds.',
  `genre` string COMMENT 'Its genre, or several as the app spells them.',
  `album` string COMMENT 'The album that it is on.',
  `created_at` timestamp COMMENT 'Since when it is in the catalogue.',
  `updated_at` timestamp COMMENT 'When it was changed last; the app has some that were changed before they came.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per track of the catalogue.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/music/tracks/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
