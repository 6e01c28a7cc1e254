-- What each website brings, of all orders up to the business date; the last row is of all of them.
-- The export has no amounts: paid orders, per customer too, stand for revenue.
-- plot: bar x=website y=paid total=all
WITH placed AS (
  SELECT website, customer_id, order_status, payment_status, is_paid, voucher_id, order_date
  FROM current_orders
  WHERE order_date < DATE '2000-01-01' + INTERVAL '1' DAY
)
SELECT
  COALESCE(website, 'all') AS website,
  COUNT(*) AS orders,
  COUNT_IF(is_paid) AS paid,
  COUNT_IF(payment_status = 'REFUNDED') AS refunded,
  COUNT_IF(order_status = 'CANCELED') AS canceled,
  CAST(
    DECIMAL '100.00' * COUNT_IF(is_paid) / NULLIF((SELECT COUNT_IF(is_paid) FROM placed), 0) AS decimal(5, 2)
  ) AS share_of_paid_percent,
  COUNT(DISTINCT customer_id) AS customers,
  CAST(DECIMAL '1.00' * COUNT_IF(is_paid) / COUNT(DISTINCT customer_id) AS decimal(18, 2)) AS paid_per_customer,
  COUNT(voucher_id) AS vouchers,
  CAST(MIN(order_date) AS date) AS first_ordered_on,
  CAST(MAX(order_date) AS date) AS last_ordered_on
FROM placed
GROUP BY GROUPING SETS ((website), ())
-- The grouping of everything has a row even where there is no order.
HAVING COUNT(*) > 0
ORDER BY GROUPING(placed.website), paid DESC, website
