-- A basket names a product once: a product or customer that is described twice would show here.
SELECT basket_id, product_id, COUNT(*) AS copies
FROM sales_enriched
GROUP BY basket_id, product_id
HAVING COUNT(*) > 1
