-- Every order once, as it was exported last.
-- A path begins with its day, so the order of `_source` is that of the exports, whenever each was read.
CREATE OR REPLACE VIEW current_orders AS
WITH exported AS (
  SELECT
    order_id,
    source,
    customer_id,
    payment_id,
    voucher_id,
    product_id,
    website,
    order_status,
    voucher_status,
    payment_status,
    order_date,
    payment_date,
    ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY _source DESC, _position DESC) AS age
  FROM orders
)
SELECT
  order_id,
  source,
  customer_id,
  payment_id,
  voucher_id,
  product_id,
  website,
  order_status,
  -- The shop's own spelling of a few.
  CASE voucher_status WHEN 'EXPRIED' THEN 'EXPIRED' ELSE voucher_status END AS voucher_status,
  payment_status,
  order_date,
  payment_date,
  -- A refund was paid once, and is no revenue.
  payment_status IS NOT NULL AND payment_status = 'PAID' AS is_paid,
  DATE_DIFF('minute', order_date, payment_date) AS minutes_to_pay
FROM exported
WHERE age = 1
