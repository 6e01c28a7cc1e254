-- Households that bought in the seven days up to the business date and in the seven days before those.
-- The counts of published days say how much of each week the lake holds.
WITH bought AS (
  SELECT
    customer_id,
    CAST(year || '-' || month || '-' || day AS date) AS sold_on
  FROM sales_enriched
  WHERE CAST(year || '-' || month || '-' || day AS date) BETWEEN DATE '2000-01-01' - INTERVAL '13' DAY
    AND DATE '2000-01-01'
),
this_week AS (
  SELECT customer_id, sold_on FROM bought WHERE sold_on > DATE '2000-01-01' - INTERVAL '7' DAY
),
week_before AS (
  SELECT customer_id, sold_on FROM bought WHERE sold_on <= DATE '2000-01-01' - INTERVAL '7' DAY
),
both_weeks AS (
  SELECT customer_id FROM this_week
  INTERSECT
  SELECT customer_id FROM week_before
)
SELECT
  DATE '2000-01-01' AS week_ends_on,
  (SELECT COUNT(DISTINCT customer_id) FROM this_week) AS customers,
  (SELECT COUNT(DISTINCT customer_id) FROM week_before) AS customers_before,
  (SELECT COUNT(*) FROM both_weeks) AS returned,
  CAST(
    DECIMAL '100.00' * (SELECT COUNT(*) FROM both_weeks)
    / NULLIF((SELECT COUNT(DISTINCT customer_id) FROM week_before), 0) AS decimal(5, 2)
  ) AS returned_percent,
  (SELECT COUNT(DISTINCT sold_on) FROM this_week) AS published_days,
  (SELECT COUNT(DISTINCT sold_on) FROM week_before) AS published_days_before
