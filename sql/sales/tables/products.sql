-- Generated from pipelines/sales/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `products` (
  `product_id` bigint COMMENT 'The product.',
  `manufacturer_id` int COMMENT 'Who makes it.',
  `department` string COMMENT 'Where in the store it is sold, the widest grouping.',
  `brand` string COMMENT 'Whether it carries the chain\'s own brand.',
  `product_category` string COMMENT 'Grouping within the department.',
  `product_type` string COMMENT 'The narrowest grouping.',
  `package_size` string COMMENT 'Size as printed on the package.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per product that the chain has ever sold.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/sales/products/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
