-- The twenty products that the day earned most with; equals share a rank, so there can be a few more.
-- plot: none
WITH sold AS (
  SELECT
    product_id,
    department,
    product_type,
    brand,
    SUM(sales_value) AS revenue,
    COUNT(*) AS baskets,
    RANK() OVER (ORDER BY SUM(sales_value) DESC) AS rank
  FROM sales_enriched
  WHERE year = '2000' AND month = '01' AND day = '01'
  GROUP BY product_id, department, product_type, brand
)
SELECT
  sold.rank,
  sold.product_id,
  sold.product_type,
  COALESCE(products.package_size, 'unknown') AS package_size,
  sold.department,
  sold.brand,
  CAST(sold.revenue AS decimal(18, 2)) AS revenue,
  sold.baskets
FROM sold
LEFT JOIN products
  ON products.product_id = sold.product_id
  AND products.year = '2000' AND products.month = '01' AND products.day = '01'
WHERE sold.rank <= 20
ORDER BY sold.rank, sold.product_id
