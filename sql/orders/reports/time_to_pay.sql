-- How long it takes until an order is paid, in minutes: the time that half, and nine in ten, of the payments needed.
-- Exact nearest ranks: n values have their median at n/2 and nine tenths at 9n/10, rounded up.
-- plot: bar x=website y=median_minutes
WITH waits AS (
  SELECT
    website,
    minutes_to_pay,
    ROW_NUMBER() OVER (PARTITION BY website ORDER BY minutes_to_pay) AS place,
    COUNT(*) OVER (PARTITION BY website) AS payments
  FROM current_orders
  WHERE payment_date >= order_date
    AND order_date < DATE '2000-01-01' + INTERVAL '1' DAY
),
-- An order that is paid before it is placed has a wrong date: it is counted, and takes no part in the times.
impossible AS (
  SELECT website, COUNT(*) AS orders
  FROM current_orders
  WHERE payment_date < order_date
    AND order_date < DATE '2000-01-01' + INTERVAL '1' DAY
  GROUP BY website
),
timed AS (
  SELECT
    website,
    COUNT(*) AS payments,
    MAX(CASE WHEN place = (payments + 1) / 2 THEN minutes_to_pay END) AS median_minutes,
    MAX(CASE WHEN place = (9 * payments + 9) / 10 THEN minutes_to_pay END) AS p90_minutes,
    MAX(minutes_to_pay) AS longest_minutes,
    COUNT_IF(minutes_to_pay < 60) AS within_the_hour
  FROM waits
  GROUP BY website
)
SELECT
  COALESCE(timed.website, impossible.website) AS website,
  COALESCE(timed.payments, 0) AS payments,
  timed.median_minutes,
  timed.p90_minutes,
  timed.longest_minutes,
  CAST(DECIMAL '100.00' * timed.within_the_hour / timed.payments AS decimal(5, 2)) AS within_the_hour_percent,
  COALESCE(impossible.orders, 0) AS paid_before_ordered
FROM timed
FULL JOIN impossible ON impossible.website = timed.website
ORDER BY payments DESC, website
