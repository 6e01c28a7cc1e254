-- How many of the orders of each month were paid, by website, and how many came to nothing.
-- plot: line x=ordered_in y=conversion_percent by=website
SELECT
  CAST(DATE_TRUNC('month', order_date) AS date) AS ordered_in,
  website,
  COUNT(*) AS orders,
  COUNT(payment_status) AS converted,
  CAST(DECIMAL '100.00' * COUNT(payment_status) / COUNT(*) AS decimal(5, 2)) AS conversion_percent,
  COUNT_IF(payment_status = 'REFUNDED') AS refunded,
  COUNT_IF(order_status = 'CANCELED') AS canceled,
  CAST(DECIMAL '100.00' * COUNT_IF(order_status = 'CANCELED') / COUNT(*) AS decimal(5, 2)) AS canceled_percent
FROM current_orders
WHERE order_date < DATE '2000-01-01' + INTERVAL '1' DAY
GROUP BY DATE_TRUNC('month', order_date), website
ORDER BY ordered_in, orders DESC, website
