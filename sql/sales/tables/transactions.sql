-- Generated from pipelines/sales/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `transactions` (
  `basket_id` bigint COMMENT 'One visit to a till.',
  `product_id` bigint COMMENT 'The product that was bought.',
  `customer_id` bigint COMMENT 'The household that paid; it is not always a known customer.',
  `store_id` int COMMENT 'The store of the till.',
  `quantity` int COMMENT 'Units bought; thousands for fuel, which comes in small units, and 0 where nothing was paid.',
  `sales_value` decimal(12,2) COMMENT 'What the store received for the row, in dollars.',
  `retail_disc` decimal(12,2) COMMENT 'Discount of the loyalty card, in dollars.',
  `coupon_disc` decimal(12,2) COMMENT 'Discount of a manufacturer\'s coupon, in dollars.',
  `coupon_match_disc` decimal(12,2) COMMENT 'What the store added to a manufacturer\'s coupon, in dollars.',
  `week` smallint COMMENT 'Week of the sales year, from 1.',
  `sold_at` timestamp COMMENT 'When the basket was paid.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per product in a basket.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/sales/transactions/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
