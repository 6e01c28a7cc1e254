-- What a department sold of each product, from a day up to the business date; the hundred that brought most.
-- parameter department: string = 'GROCERY' -- as the chain calls it
-- parameter brand: string = 'all' in ('all', 'National', 'Private') -- the maker's or the chain's own
-- parameter since: date = '2000-01-01' -- the first day; without it, the business date alone
SELECT
  product_id,
  product_type,
  brand,
  COUNT(*) AS sales,
  CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue
FROM sales_enriched
WHERE CAST(year || '-' || month || '-' || day AS date) BETWEEN :since AND DATE '2000-01-01'
  AND department = :department
  AND (brand = :brand OR :brand = 'all')
GROUP BY product_id, product_type, brand
ORDER BY revenue DESC, product_id
LIMIT 100
