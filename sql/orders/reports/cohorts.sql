-- Customers by the month of their first paid order: how many of them paid for one again so many months later.
-- plot: line x=months_since y=retained_percent by=cohort
WITH paid AS (
  SELECT DISTINCT
    customer_id,
    CAST(DATE_TRUNC('month', order_date) AS date) AS paid_in
  FROM current_orders
  WHERE is_paid
    AND order_date < DATE '2000-01-01' + INTERVAL '1' DAY
),
since AS (
  SELECT
    MIN(paid_in) OVER (PARTITION BY customer_id) AS cohort,
    paid_in
  FROM paid
),
active AS (
  SELECT
    cohort,
    DATE_DIFF('month', cohort, paid_in) AS months_since,
    COUNT(*) AS customers
  FROM since
  GROUP BY cohort, DATE_DIFF('month', cohort, paid_in)
)
SELECT
  cohort,
  months_since,
  customers,
  CAST(
    DECIMAL '100.00' * customers / FIRST_VALUE(customers) OVER (PARTITION BY cohort ORDER BY months_since)
    AS decimal(5, 2)
  ) AS retained_percent
FROM active
ORDER BY cohort, months_since
