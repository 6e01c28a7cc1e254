-- Generated from pipelines/recommendations/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `model_metrics` (
  `model_version` int COMMENT 'The version that scored.',
  `users` bigint COMMENT 'How many have a history that the model knows.',
  `items` bigint COMMENT 'How many tracks the model knows.',
  `listens` bigint COMMENT 'How many pairs of listener and track there are by now.',
  `new_listens` bigint COMMENT 'How many of them came since the model was trained.',
  `precision` double COMMENT 'The share of what the lists say that was heard then; like the next six null where too little is new.',
  `recall` double COMMENT 'The share of what was heard then that the lists say.',
  `ndcg` double COMMENT 'The same with more for the upper places, beside the best that was possible.',
  `mean_average_precision` double COMMENT 'The mean of the precisions at each place that was heard.',
  `coverage` double COMMENT 'The share of all tracks that anybody was recommended.',
  `popularity_precision` double COMMENT 'The precision of what is popular, on the same.',
  `popularity_recall` double COMMENT 'The recall of what is popular, on the same.',
  `expected_recall` double COMMENT 'The recall that the version was promoted with; a night\'s precision is as low as few listens are new.',
  `shift` double COMMENT 'How far what is heard now lies from what was heard at the training, from 0 to 1.',
  `age_days` int COMMENT 'How many business dates ago the version was trained.',
  `drifted` boolean COMMENT 'Whether the model no longer fits what is heard, and is trained anew.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per scoring, which is how the champion did on what was heard since it was trained.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/recommendations/model_metrics/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
