-- The revenue of the published days among the last thirty, with the mean of the seven days up to each.
-- RANGE counts days, not rows: a day that was never published does not stretch the week.
-- plot: line x=sold_on y=revenue,average_7_days
WITH days AS (
  SELECT
    sold_on,
    revenue,
    baskets,
    AVG(revenue) OVER week AS average_7_days,
    COUNT(*) OVER week AS days_averaged,
    MAX(revenue) OVER (
      ORDER BY sold_on RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND INTERVAL '7' DAY PRECEDING
    ) AS revenue_week_before
  FROM daily_revenue
  WHERE CAST(year || '-' || month || '-' || day AS date) BETWEEN DATE '2000-01-01' - INTERVAL '36' DAY
    AND DATE '2000-01-01'
  WINDOW week AS (ORDER BY sold_on RANGE BETWEEN INTERVAL '6' DAY PRECEDING AND CURRENT ROW)
)
SELECT
  sold_on,
  revenue,
  baskets,
  average_7_days,
  days_averaged,
  revenue_week_before,
  CAST(100 * (revenue - revenue_week_before) / NULLIF(revenue_week_before, 0) AS decimal(18, 2)) AS change_percent
FROM days
WHERE sold_on > DATE '2000-01-01' - INTERVAL '30' DAY
ORDER BY sold_on
