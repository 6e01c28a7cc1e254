-- Generated from pipelines/activity/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `weather` (
  `city` string COMMENT 'The city that was asked for.',
  `observed_at` timestamp COMMENT 'When the hour began.',
  `latitude` decimal(9,6) COMMENT 'Where the weather is of, in degrees north; the centre of the model\'s cell around the city.',
  `longitude` decimal(9,6) COMMENT 'The same in degrees east.',
  `temperature` decimal(4,1) COMMENT 'Two metres above the ground, in degrees Celsius.',
  `humidity` smallint COMMENT 'Relative humidity in percent.',
  `precipitation` decimal(5,1) COMMENT 'Rain and snow of the hour before, in millimetres.',
  `pressure` decimal(6,1) COMMENT 'At sea level, in hectopascals.',
  `wind_speed` decimal(5,1) COMMENT 'Ten metres above the ground, in kilometres an hour.',
  `wind_gusts` decimal(5,1) COMMENT 'The strongest gust of the hour before, in kilometres an hour.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per city and hour.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/activity/weather/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
