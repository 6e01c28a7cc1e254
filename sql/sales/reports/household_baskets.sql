-- The baskets of one household, the newest first: no night computes it, since nobody says for whom.
-- parameter customer_id: bigint -- the household
-- parameter since: date = '2000-01-01' -- the first day; without it, the business date alone
-- parameter least: decimal(12,2) = 0.00 -- what a basket is worth at least
WITH baskets AS (
  SELECT
    CAST(year || '-' || month || '-' || day AS date) AS sold_on,
    basket_id,
    COUNT(*) AS products,
    CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue
  FROM sales_enriched
  WHERE customer_id = :customer_id
    AND CAST(year || '-' || month || '-' || day AS date) BETWEEN :since AND DATE '2000-01-01'
  GROUP BY year, month, day, basket_id
)
SELECT
  sold_on,
  basket_id,
  products,
  revenue
FROM baskets
WHERE revenue >= :least
ORDER BY sold_on DESC, basket_id
LIMIT 1000
