-- Where the day's money came from.
SELECT
  RANK() OVER (ORDER BY SUM(sales_value) DESC) AS rank,
  department,
  CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue,
  -- NULL, not a failed report, on a day that sold nothing but gifts.
  CAST(100 * SUM(sales_value) / NULLIF(SUM(SUM(sales_value)) OVER (), 0) AS decimal(5, 2)) AS share_percent,
  COUNT(DISTINCT basket_id) AS baskets
FROM sales_enriched
WHERE year = '2000' AND month = '01' AND day = '01'
GROUP BY department
ORDER BY rank, department
