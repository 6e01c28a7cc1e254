-- Generated from pipelines/sales/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `customers` (
  `customer_id` bigint COMMENT 'The household.',
  `age` string COMMENT 'Age group of the head of the household.',
  `home_ownership` string COMMENT 'Whether the home is owned or rented, where it is known.',
  `household_size` string COMMENT 'Number of people, 5+ for five and more.',
  `household_comp` string COMMENT 'Adults and kids in words.',
  `kids_count` string COMMENT 'Number of kids, 3+ for three and more.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per household of the loyalty programme.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/sales/customers/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
