-- The range of products as it was delivered last.
CREATE OR REPLACE VIEW current_products AS
SELECT
  product_id,
  manufacturer_id,
  department,
  brand,
  COALESCE(product_category, 'unknown') AS product_category,
  COALESCE(product_type, 'unknown') AS product_type,
  package_size,
  CAST(year || '-' || month || '-' || day AS date) AS delivered_on
FROM products
WHERE year || month || day = (SELECT MAX(year || month || day) FROM products)
