-- How many products a basket holds, and what it is worth; the last row is of all baskets.
-- Rows are counted, not units: fuel comes in thousands of them.
-- plot: bar x=products y=baskets total=all
WITH baskets AS (
  SELECT
    basket_id,
    COUNT(*) AS products,
    SUM(sales_value) AS value
  FROM sales_enriched
  WHERE year = '2000' AND month = '01' AND day = '01'
  GROUP BY basket_id
),
sized AS (
  SELECT
    products,
    value,
    CASE
      WHEN products = 1 THEN '1'
      WHEN products <= 5 THEN '2-5'
      WHEN products <= 10 THEN '6-10'
      WHEN products <= 20 THEN '11-20'
      ELSE 'over 20'
    END AS size
  FROM baskets
)
SELECT
  COALESCE(size, 'all') AS products,
  COUNT(*) AS baskets,
  CAST(DECIMAL '100.00' * COUNT(*) / NULLIF((SELECT COUNT(*) FROM baskets), 0) AS decimal(5, 2)) AS share_percent,
  CAST(SUM(value) AS decimal(18, 2)) AS revenue,
  CAST(SUM(value) / COUNT(*) AS decimal(18, 2)) AS average_value,
  -- The exact median, of an even number the mean of the two in the middle: APPROX_PERCENTILE would differ by cents.
  CAST(
    (
      ELEMENT_AT(ARRAY_SORT(ARRAY_AGG(value)), (COUNT(*) + 1) / 2)
      + ELEMENT_AT(ARRAY_SORT(ARRAY_AGG(value)), (COUNT(*) + 2) / 2)
    ) / 2 AS decimal(18, 2)
  ) AS median_value
FROM sized
GROUP BY GROUPING SETS ((size), ())
-- The grouping of everything has a row even of a day without baskets.
HAVING COUNT(*) > 0
ORDER BY GROUPING(size), MIN(sized.products)
