-- One row per published day: what the chain sold.
CREATE OR REPLACE VIEW daily_revenue AS
SELECT
  CAST(year || '-' || month || '-' || day AS date) AS sold_on,
  COUNT(DISTINCT basket_id) AS baskets,
  COUNT(DISTINCT customer_id) AS customers,
  CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue,
  CAST(SUM(gross_value) AS decimal(18, 2)) AS gross_revenue,
  CAST(SUM(sales_value) / COUNT(DISTINCT basket_id) AS decimal(18, 2)) AS average_basket,
  -- The keys again, as a filter on them reads the files of those days only.
  year,
  month,
  day
FROM sales_enriched
GROUP BY year, month, day
