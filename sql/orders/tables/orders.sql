-- Generated from pipelines/orders/contract.odcs.yaml by sql/generate.py; do not edit.
CREATE EXTERNAL TABLE IF NOT EXISTS `orders` (
  `order_id` bigint COMMENT 'The order.',
  `source` string COMMENT 'The system that took the order.',
  `customer_id` bigint COMMENT 'Who ordered, as a number; one is often a company that orders for many.',
  `payment_id` bigint COMMENT 'The payment; none until it is paid.',
  `voucher_id` bigint COMMENT 'The voucher that was issued, if one was.',
  `product_id` bigint COMMENT 'What was ordered; many old orders do not say.',
  `website` string COMMENT 'The website, such as VVNL.',
  `order_status` string COMMENT 'What became of the order.',
  `voucher_status` string COMMENT 'What became of the voucher, as the shop spells it; current_orders mends what it misspells.',
  `payment_status` string COMMENT 'What became of the payment; none where nobody has paid.',
  `order_date` timestamp COMMENT 'When it was ordered.',
  `payment_date` timestamp COMMENT 'When it was paid; none until it is.',
  `_run_id` string COMMENT 'The run that published the row.',
  `_loaded_at` timestamp COMMENT 'When the row was converted, UTC.',
  `_source` string COMMENT 'The object that the row came from, and the byte after a # that its shard begins with, unless 0.',
  `_position` bigint COMMENT 'The row\'s first line there, counted from 1, or its record where there are no lines.'
)
COMMENT 'One row per order and month, as it was exported last; an order moves to another month but by mistake.'
PARTITIONED BY (`year` string, `month` string, `day` string)
STORED AS PARQUET
LOCATION 's3://lake/empty/orders/orders/'
TBLPROPERTIES ('classification' = 'parquet', 'parquet.compression' = 'SNAPPY')
